//go:build !noasm

#include "textflag.h"

DATA lowBytes<>+0(SB)/4, $0x00ff00ff
GLOBL lowBytes<>(SB), RODATA|NOPTR, $4
DATA absBits<>+0(SB)/4, $0x7fffffff
GLOBL absBits<>(SB), RODATA|NOPTR, $4

// func tableRangesAVX512(mins, mags *float32, tables *float32, count int)
//
// For each of count tables of 256 floats: the smallest entry, and the largest magnitude.
TEXT ·tableRangesAVX512(SB), NOSPLIT, $0-32
	MOVQ         mins+0(FP), DI
	MOVQ         mags+8(FP), R8
	MOVQ         tables+16(FP), SI
	MOVQ         count+24(FP), CX
	VPBROADCASTD absBits<>(SB), Z31

rangetable:
	VMOVUPS (SI), Z0
	VPANDD  Z0, Z31, Z1
	MOVQ    $64, AX

rangeloop:
	VMOVUPS (SI)(AX*1), Z2
	VMINPS  Z2, Z0, Z0
	VPANDD  Z2, Z31, Z3
	VMAXPS  Z3, Z1, Z1
	ADDQ    $64, AX
	CMPQ    AX, $1024
	JLT     rangeloop

	VEXTRACTF64X4 $1, Z0, Y2
	VMINPS        Y2, Y0, Y0
	VEXTRACTF128  $1, Y0, X2
	VMINPS        X2, X0, X0
	VPERMILPS     $0x4e, X0, X2
	VMINPS        X2, X0, X0
	VPERMILPS     $0xb1, X0, X2
	VMINPS        X2, X0, X0
	VMOVSS        X0, (DI)

	VEXTRACTF64X4 $1, Z1, Y2
	VMAXPS        Y2, Y1, Y1
	VEXTRACTF128  $1, Y1, X2
	VMAXPS        X2, X1, X1
	VPERMILPS     $0x4e, X1, X2
	VMAXPS        X2, X1, X1
	VPERMILPS     $0xb1, X1, X2
	VMAXPS        X2, X1, X1
	VMOVSS        X1, (R8)

	ADDQ $4, DI
	ADDQ $4, R8
	ADDQ $1024, SI
	DECQ CX
	JNZ  rangetable
	VZEROUPPER
	RET

// func quantizeTablesAVX512(dst *byte, tables, mins *float32, count int, inverse, shift float32)
//
// dst = (entry − min) × inverse − shift, truncated, between 0 and 255. NaN becomes 0, +Inf 255.
TEXT ·quantizeTablesAVX512(SB), NOSPLIT, $0-40
	MOVQ         dst+0(FP), DI
	MOVQ         tables+8(FP), SI
	MOVQ         mins+16(FP), R8
	MOVQ         count+24(FP), CX
	VBROADCASTSS inverse+32(FP), Z10
	VBROADCASTSS shift+36(FP), Z11
	VPXORD       Z12, Z12, Z12

quantable:
	VBROADCASTSS (R8), Z13
	XORQ         AX, AX

quanloop:
	VMOVUPS    (SI)(AX*4), Z0
	VSUBPS     Z13, Z0, Z0
	VMULPS     Z10, Z0, Z0
	VSUBPS     Z11, Z0, Z0
	VMAXPS     Z12, Z0, Z0
	VCVTTPS2DQ Z0, Z0
	VPMOVUSDB  Z0, (DI)(AX*1)
	ADDQ       $16, AX
	CMPQ       AX, $256
	JLT        quanloop
	ADDQ       $4, R8
	ADDQ       $1024, SI
	ADDQ       $256, DI
	DECQ       CX
	JNZ        quantable
	VZEROUPPER
	RET

// Looks up the 64 bytes of IDX in the table T0…T3; the result replaces IDX. TMP and K2 are scratch.
// VPERMI2B takes the low seven bits of an index; the eighth chooses between two results.
#define LOOKUP(IDX, T0, T1, T2, T3, TMP) \
	VPMOVB2M  IDX, K2          \
	VMOVDQA64 IDX, TMP         \
	VPERMI2B  T1, T0, TMP      \
	VPERMI2B  T3, T2, IDX      \
	VPBLENDMB IDX, TMP, K2, IDX

// func accumulate4VBMI(acc *uint16, tables, codes *byte, n, groups int, tail uint64)
//
// Adds the entries of four bytes of each code to the sums of groups × 64 rows; of the last group only the
// rows in tail are read. The sums of a group are 32 of its even rows, then 32 of its odd rows.
TEXT ·accumulate4VBMI(SB), NOSPLIT, $0-48
	MOVQ         acc+0(FP), DI
	MOVQ         tables+8(FP), R8
	MOVQ         codes+16(FP), SI
	MOVQ         n+24(FP), R9
	MOVQ         groups+32(FP), CX
	VPBROADCASTD lowBytes<>(SB), Z31

	VMOVDQU64 (R8), Z0
	VMOVDQU64 64(R8), Z1
	VMOVDQU64 128(R8), Z2
	VMOVDQU64 192(R8), Z3
	VMOVDQU64 256(R8), Z4
	VMOVDQU64 320(R8), Z5
	VMOVDQU64 384(R8), Z6
	VMOVDQU64 448(R8), Z7
	VMOVDQU64 512(R8), Z8
	VMOVDQU64 576(R8), Z9
	VMOVDQU64 640(R8), Z10
	VMOVDQU64 704(R8), Z11
	VMOVDQU64 768(R8), Z12
	VMOVDQU64 832(R8), Z13
	VMOVDQU64 896(R8), Z14
	VMOVDQU64 960(R8), Z15

	LEAQ (SI)(R9*1), R10
	LEAQ (R10)(R9*1), R11
	LEAQ (R11)(R9*1), R12
	XORQ AX, AX
	MOVQ $-1, R13
	KMOVQ R13, K1

acc4group:
	CMPQ  CX, $1
	JNE   acc4load
	MOVQ  tail+40(FP), R13
	KMOVQ R13, K1

acc4load:
	VMOVDQU8.Z (SI)(AX*1), K1, Z16
	VMOVDQU8.Z (R10)(AX*1), K1, Z17
	VMOVDQU8.Z (R11)(AX*1), K1, Z18
	VMOVDQU8.Z (R12)(AX*1), K1, Z19
	LOOKUP(Z16, Z0, Z1, Z2, Z3, Z20)
	LOOKUP(Z17, Z4, Z5, Z6, Z7, Z21)
	LOOKUP(Z18, Z8, Z9, Z10, Z11, Z22)
	LOOKUP(Z19, Z12, Z13, Z14, Z15, Z23)
	VPADDUSB Z16, Z17, Z16
	VPADDUSB Z18, Z19, Z18
	VPANDD   Z31, Z16, Z20
	VPSRLW   $8, Z16, Z21
	VPANDD   Z31, Z18, Z22
	VPSRLW   $8, Z18, Z23
	VPADDW   Z20, Z22, Z20
	VPADDW   Z21, Z23, Z21
	VPADDW   (DI), Z20, Z20
	VPADDW   64(DI), Z21, Z21
	VMOVDQU64 Z20, (DI)
	VMOVDQU64 Z21, 64(DI)
	ADDQ $64, AX
	ADDQ $128, DI
	DECQ CX
	JNZ  acc4group
	VZEROUPPER
	RET

// func accumulate1VBMI(acc *uint16, tables, codes *byte, n, groups int, tail uint64)
//
// accumulate4VBMI for one byte of each code; n is unused.
TEXT ·accumulate1VBMI(SB), NOSPLIT, $0-48
	MOVQ         acc+0(FP), DI
	MOVQ         tables+8(FP), R8
	MOVQ         codes+16(FP), SI
	MOVQ         groups+32(FP), CX
	VPBROADCASTD lowBytes<>(SB), Z31
	VMOVDQU64    (R8), Z0
	VMOVDQU64    64(R8), Z1
	VMOVDQU64    128(R8), Z2
	VMOVDQU64    192(R8), Z3
	XORQ         AX, AX
	MOVQ         $-1, R13
	KMOVQ        R13, K1

acc1group:
	CMPQ  CX, $1
	JNE   acc1load
	MOVQ  tail+40(FP), R13
	KMOVQ R13, K1

acc1load:
	VMOVDQU8.Z (SI)(AX*1), K1, Z16
	LOOKUP(Z16, Z0, Z1, Z2, Z3, Z20)
	VPANDD    Z31, Z16, Z20
	VPSRLW    $8, Z16, Z21
	VPADDW    (DI), Z20, Z20
	VPADDW    64(DI), Z21, Z21
	VMOVDQU64 Z20, (DI)
	VMOVDQU64 Z21, 64(DI)
	ADDQ      $64, AX
	ADDQ      $128, DI
	DECQ      CX
	JNZ       acc1group
	VZEROUPPER
	RET

// func maskBelowAVX512(mask *uint64, acc *uint16, groups int, cutoff uint16)
//
// Bit r of mask[g] is set where the sum of row 64g + r is at most cutoff.
TEXT ·maskBelowAVX512(SB), NOSPLIT, $0-26
	MOVQ    mask+0(FP), DI
	MOVQ    acc+8(FP), SI
	MOVQ    groups+16(FP), CX
	MOVWLZX cutoff+24(FP), AX
	VPBROADCASTW AX, Z2
	MOVQ    $0x5555555555555555, R8
	MOVQ    $0xaaaaaaaaaaaaaaaa, R9

belowloop:
	VMOVDQU64 (SI), Z0
	VMOVDQU64 64(SI), Z1
	VPCMPUW   $2, Z2, Z0, K1
	VPCMPUW   $2, Z2, Z1, K2
	KMOVD     K1, R10
	KMOVD     K2, R11
	PDEPQ     R8, R10, R10
	PDEPQ     R9, R11, R11
	ORQ       R11, R10
	MOVQ      R10, (DI)
	ADDQ      $8, DI
	ADDQ      $128, SI
	DECQ      CX
	JNZ       belowloop
	VZEROUPPER
	RET
