#!/bin/sh
# What `make bench` runs: BENCH is the folder of the programs, BIN that of the tools.  Arguments go
# to the kernels' bench; `make bench` on an idle machine, `build/bench/kern -c` on a busy one.
# Beside PyTorch and the other peers, rank, photos, Karlo at full size, and how things grow: bench/peers.py -h.
set -e
"${BENCH:?}"/kern "$@"
