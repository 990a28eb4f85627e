"""Processors that are not at hand: what an artefact would take there, from what its kernels were counted to take.

graph_operators    what a signature computes: its operators with shapes and types
kernel_work        each operator as work of a kernel: multiply-accumulates, numbers that go through
kernel_rates       cycles for each unit of that work, by processor: figures of benchmarks/results/arm_rates.json
processor          clock, board, and what an estimate is worth
estimated_profile  a profile of all that, marked as an estimate
"""
