"""What an inference costs a Cortex-A76 or a Cortex-A72, counted on this PC: docs/arm.md says how far to believe it.

root       the arm64 system: Debian, edgevit-runtime, other engines
counting   one inference in it, as blocks of instructions: qemu-user and the plugin count_blocks.c
guest      what runs in it: ours, any `.tflite`, single operators; engines: the other engines
pipeline   blocks as cycles: llvm-mca
operators  an artefact's operators, each as a file of its own
rates      what a unit of each kernel's work takes, fitted to counted operators
models     the artefacts that are counted; peer_files, ncnn_networks: what is counted beside them
"""
