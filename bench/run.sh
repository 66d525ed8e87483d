#!/bin/sh
# What `make bench` runs: BENCH is the folder of the programs, BIN that of the tools.  Arguments go
# to the kernels' bench; `make bench` on an idle machine, `build/bench/kern -c` on a busy one.
# Not run here, because it writes 3.3 GB: sh bench/rank.sh.  Beside PyTorch and the other peers: bench/peers.py -h.
set -e
"${BENCH:?}"/kern "$@"
