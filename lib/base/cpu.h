/* cpu.h - which instruction sets this processor and its operating system offer
 *
 * What     cpu_flags asks the processor with cpuid and xgetbv.  The file is compiled without the compiler flags of
 *          the instruction sets that it detects.  An instruction set counts only if the operating system saves the
 *          registers of that set.
 * Source   Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapters 14.3 and 15.2; BLIS
 *          0.9.0, frame/base/bli_cpuid.c and bli_env.c.
 */
#ifndef UNCLIP_CPU_H
#define UNCLIP_CPU_H

enum {
    CPU_AVX2 = 1,      /* AVX2, FMA, F16C */
    CPU_AVX512 = 2,    /* AVX512F, DQ, BW, VL; implies CPU_AVX2 */
    CPU_BF16 = 4       /* AVX512_BF16; implies CPU_AVX512 */
};

unsigned cpu_flags(void);

/* Returns the value that the environment variable BLIS_ARCH_TYPE should have before BLIS's first call, or NULL if
 * the variable need not be set.  BLIS does not know AMD's families from 0x1a (Zen 5) on.  On these processors BLIS
 * falls back to its portable C kernels, at about an eighth of the speed, but its Skylake-X kernels run well.  BLIS
 * 0.9 parses the variable as a number: "skx" gives 0, which selects skx.  BLIS 1.0 understands names.  Programs set
 * the variable, because lib neither reads nor writes the environment. */
const char *cpu_blis_arch(void);

#endif
