"""Thin shells around rules, one actor a file. Read them in pipeline order:

chain_observer, task_sampler, miner_proxy, scorer, weight_setter, checkpointer; inference is the
miner's. A sandbox_executor will stand between miner_proxy and scorer.
"""
