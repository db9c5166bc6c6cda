"""Several processes that do one job together, each on a device of its own: by torch.distributed, and its DDP.

    ranks.py        what each process knows of the others, and what they agree on; `ALONE` for a single process
    devices.py      which devices a job uses, and whether it needs several processes
    launching.py    the run's worker starts the processes by torch's elastic agent, passes on what they report, and
                    says why one of them ended
    rank.py         such a process: `python -m mia_tui.engine.parallel.rank`
    joining.py      the same with processes that torchrun or srun started
    channel.py      what these two say to each other
    steps.py        the batches of an epoch, which all processes end at the same step
    learner.py      a step of a training, with DistributedDataParallel around the network
    prediction.py   a trained network whose images are shared out

Every process does the same work with the same job; only the first one writes and reports.
"""
