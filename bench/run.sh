#!/bin/sh
# What `make bench` runs.  BENCH is the directory of the bench programs, BIN that of the tools.  Arguments go
# to the kernels' bench; `make bench` on an idle machine, `build/bench/kern -c` on a busy one.
# bench/peers.py -h: comparisons with PyTorch and other peers, rank, photos, Karlo at full size, and growth.
set -e
"${BENCH:?}"/kern "$@"
