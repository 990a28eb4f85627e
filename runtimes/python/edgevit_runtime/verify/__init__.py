"""Is this artefact whole, safe to hand to native code, and computed rightly here?"""
