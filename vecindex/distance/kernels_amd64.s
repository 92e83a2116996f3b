//go:build !noasm

#include "textflag.h"

// Eight set lanes, then eight clear ones: a load at 4*(8-r) masks the first r lanes.
DATA tailMask<>+0(SB)/8, $0xffffffffffffffff
DATA tailMask<>+8(SB)/8, $0xffffffffffffffff
DATA tailMask<>+16(SB)/8, $0xffffffffffffffff
DATA tailMask<>+24(SB)/8, $0xffffffffffffffff
DATA tailMask<>+32(SB)/8, $0
DATA tailMask<>+40(SB)/8, $0
DATA tailMask<>+48(SB)/8, $0
DATA tailMask<>+56(SB)/8, $0
GLOBL tailMask<>(SB), RODATA|NOPTR, $64

// Arguments shared by the row kernels:
//	DI dst, CX rows, SI query, DX row, R8 dim, R9 stride in bytes
// and what they derive:
//	R10 dim rounded down to 32, R11 to 8, R12 the rest, Y15 its mask.
#define ROW_SETUP \
	MOVQ R8, R10           \
	ANDQ $-32, R10         \
	MOVQ R8, R11           \
	ANDQ $-8, R11          \
	MOVQ R8, R12           \
	ANDQ $7, R12           \
	LEAQ tailMask<>+32(SB), R13 \
	MOVQ R12, BX           \
	SHLQ $2, BX            \
	SUBQ BX, R13           \
	VMOVUPS (R13), Y15

// Adds the lanes of A (Y register; X its low half) and leaves the sum in the low lane. T is scratch.
#define SUM_LANES(A, AX_, T) \
	VEXTRACTF128 $1, A, T  \
	VADDPS T, AX_, AX_     \
	VMOVHLPS AX_, AX_, T   \
	VADDPS T, AX_, AX_     \
	VMOVSHDUP AX_, T       \
	VADDSS T, AX_, AX_

// func l2RowsAVX2(dst *float32, rows int, query, values *float32, dim, strideBytes int)
TEXT ·l2RowsAVX2(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ rows+8(FP), CX
	MOVQ query+16(FP), SI
	MOVQ values+24(FP), DX
	MOVQ dim+32(FP), R8
	MOVQ strideBytes+40(FP), R9
	ROW_SETUP

l2row:
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	XORQ   AX, AX
	CMPQ   AX, R10
	JGE    l2eight

l2loop:
	VMOVUPS     (SI)(AX*4), Y4
	VMOVUPS     32(SI)(AX*4), Y5
	VMOVUPS     64(SI)(AX*4), Y6
	VMOVUPS     96(SI)(AX*4), Y7
	VSUBPS      (DX)(AX*4), Y4, Y4
	VSUBPS      32(DX)(AX*4), Y5, Y5
	VSUBPS      64(DX)(AX*4), Y6, Y6
	VSUBPS      96(DX)(AX*4), Y7, Y7
	VFMADD231PS Y4, Y4, Y0
	VFMADD231PS Y5, Y5, Y1
	VFMADD231PS Y6, Y6, Y2
	VFMADD231PS Y7, Y7, Y3
	ADDQ        $32, AX
	CMPQ        AX, R10
	JLT         l2loop

l2eight:
	CMPQ        AX, R11
	JGE         l2tail
	VMOVUPS     (SI)(AX*4), Y4
	VSUBPS      (DX)(AX*4), Y4, Y4
	VFMADD231PS Y4, Y4, Y0
	ADDQ        $8, AX
	JMP         l2eight

l2tail:
	TESTQ       R12, R12
	JZ          l2sum
	VMASKMOVPS  (SI)(AX*4), Y15, Y4
	VMASKMOVPS  (DX)(AX*4), Y15, Y5
	VSUBPS      Y5, Y4, Y4
	VFMADD231PS Y4, Y4, Y1

l2sum:
	VADDPS Y1, Y0, Y0
	VADDPS Y3, Y2, Y2
	VADDPS Y2, Y0, Y0
	SUM_LANES(Y0, X0, X1)
	VMOVSS X0, (DI)
	ADDQ   $4, DI
	ADDQ   R9, DX
	DECQ   CX
	JNZ    l2row
	VZEROUPPER
	RET

// func dotRowsAVX2(dst *float32, rows int, query, values *float32, dim, strideBytes int)
TEXT ·dotRowsAVX2(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ rows+8(FP), CX
	MOVQ query+16(FP), SI
	MOVQ values+24(FP), DX
	MOVQ dim+32(FP), R8
	MOVQ strideBytes+40(FP), R9
	ROW_SETUP

dotrow:
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	XORQ   AX, AX
	CMPQ   AX, R10
	JGE    doteight

dotloop:
	VMOVUPS     (SI)(AX*4), Y4
	VMOVUPS     32(SI)(AX*4), Y5
	VMOVUPS     64(SI)(AX*4), Y6
	VMOVUPS     96(SI)(AX*4), Y7
	VFMADD231PS (DX)(AX*4), Y4, Y0
	VFMADD231PS 32(DX)(AX*4), Y5, Y1
	VFMADD231PS 64(DX)(AX*4), Y6, Y2
	VFMADD231PS 96(DX)(AX*4), Y7, Y3
	ADDQ        $32, AX
	CMPQ        AX, R10
	JLT         dotloop

doteight:
	CMPQ        AX, R11
	JGE         dottail
	VMOVUPS     (SI)(AX*4), Y4
	VFMADD231PS (DX)(AX*4), Y4, Y0
	ADDQ        $8, AX
	JMP         doteight

dottail:
	TESTQ       R12, R12
	JZ          dotsum
	VMASKMOVPS  (SI)(AX*4), Y15, Y4
	VMASKMOVPS  (DX)(AX*4), Y15, Y5
	VFMADD231PS Y5, Y4, Y1

dotsum:
	VADDPS Y1, Y0, Y0
	VADDPS Y3, Y2, Y2
	VADDPS Y2, Y0, Y0
	SUM_LANES(Y0, X0, X1)
	VMOVSS X0, (DI)
	ADDQ   $4, DI
	ADDQ   R9, DX
	DECQ   CX
	JNZ    dotrow
	VZEROUPPER
	RET

// func dotNormRowsAVX2(dots, norms *float32, rows int, query, values *float32, dim, strideBytes int)
//
// One pass over a row gives its product with the query (dots) and with itself (norms).
TEXT ·dotNormRowsAVX2(SB), NOSPLIT, $0-56
	MOVQ dots+0(FP), DI
	MOVQ norms+8(FP), R14
	MOVQ rows+16(FP), CX
	MOVQ query+24(FP), SI
	MOVQ values+32(FP), DX
	MOVQ dim+40(FP), R8
	MOVQ strideBytes+48(FP), R9
	ROW_SETUP

dnrow:
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y8, Y8, Y8
	VXORPS Y9, Y9, Y9
	VXORPS Y10, Y10, Y10
	VXORPS Y11, Y11, Y11
	XORQ   AX, AX
	CMPQ   AX, R10
	JGE    dneight

dnloop:
	VMOVUPS     (DX)(AX*4), Y4
	VMOVUPS     32(DX)(AX*4), Y5
	VMOVUPS     64(DX)(AX*4), Y6
	VMOVUPS     96(DX)(AX*4), Y7
	VFMADD231PS (SI)(AX*4), Y4, Y0
	VFMADD231PS 32(SI)(AX*4), Y5, Y1
	VFMADD231PS 64(SI)(AX*4), Y6, Y2
	VFMADD231PS 96(SI)(AX*4), Y7, Y3
	VFMADD231PS Y4, Y4, Y8
	VFMADD231PS Y5, Y5, Y9
	VFMADD231PS Y6, Y6, Y10
	VFMADD231PS Y7, Y7, Y11
	ADDQ        $32, AX
	CMPQ        AX, R10
	JLT         dnloop

dneight:
	CMPQ        AX, R11
	JGE         dntail
	VMOVUPS     (DX)(AX*4), Y4
	VFMADD231PS (SI)(AX*4), Y4, Y0
	VFMADD231PS Y4, Y4, Y8
	ADDQ        $8, AX
	JMP         dneight

dntail:
	TESTQ       R12, R12
	JZ          dnsum
	VMASKMOVPS  (DX)(AX*4), Y15, Y4
	VMASKMOVPS  (SI)(AX*4), Y15, Y5
	VFMADD231PS Y5, Y4, Y1
	VFMADD231PS Y4, Y4, Y9

dnsum:
	VADDPS Y1, Y0, Y0
	VADDPS Y3, Y2, Y2
	VADDPS Y2, Y0, Y0
	VADDPS Y9, Y8, Y8
	VADDPS Y11, Y10, Y10
	VADDPS Y10, Y8, Y8
	SUM_LANES(Y0, X0, X1)
	SUM_LANES(Y8, X8, X1)
	VMOVSS X0, (DI)
	VMOVSS X8, (R14)
	ADDQ   $4, DI
	ADDQ   $4, R14
	ADDQ   R9, DX
	DECQ   CX
	JNZ    dnrow
	VZEROUPPER
	RET

// func l2ColumnsAVX2(dst *float32, n int, columns, v *float32, dim int)
//
// n is a multiple of 8. Each of up to 32 columns has a lane; the elements of v are broadcast.
TEXT ·l2ColumnsAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ columns+16(FP), SI
	MOVQ v+24(FP), DX
	MOVQ dim+32(FP), R8
	MOVQ CX, R9
	SHLQ $2, R9             // bytes from one element of a column to the next

l2cwide:
	CMPQ   CX, $32
	JLT    l2cnarrow
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	MOVQ   SI, R10
	XORQ   AX, AX

l2cwideloop:
	VBROADCASTSS (DX)(AX*4), Y8
	VSUBPS       (R10), Y8, Y4
	VSUBPS       32(R10), Y8, Y5
	VSUBPS       64(R10), Y8, Y6
	VSUBPS       96(R10), Y8, Y7
	VFMADD231PS  Y4, Y4, Y0
	VFMADD231PS  Y5, Y5, Y1
	VFMADD231PS  Y6, Y6, Y2
	VFMADD231PS  Y7, Y7, Y3
	ADDQ         R9, R10
	INCQ         AX
	CMPQ         AX, R8
	JLT          l2cwideloop
	VMOVUPS      Y0, (DI)
	VMOVUPS      Y1, 32(DI)
	VMOVUPS      Y2, 64(DI)
	VMOVUPS      Y3, 96(DI)
	ADDQ         $128, DI
	ADDQ         $128, SI
	SUBQ         $32, CX
	JMP          l2cwide

l2cnarrow:
	TESTQ  CX, CX
	JZ     l2cdone
	VXORPS Y0, Y0, Y0
	MOVQ   SI, R10
	XORQ   AX, AX

l2cnarrowloop:
	VBROADCASTSS (DX)(AX*4), Y8
	VSUBPS       (R10), Y8, Y4
	VFMADD231PS  Y4, Y4, Y0
	ADDQ         R9, R10
	INCQ         AX
	CMPQ         AX, R8
	JLT          l2cnarrowloop
	VMOVUPS      Y0, (DI)
	ADDQ         $32, DI
	ADDQ         $32, SI
	SUBQ         $8, CX
	JMP          l2cnarrow

l2cdone:
	VZEROUPPER
	RET

// func l2ColumnsAVX512(dst *float32, n int, columns, v *float32, dim int)
// n is a multiple of 128.
TEXT ·l2ColumnsAVX512(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ columns+16(FP), SI
	MOVQ v+24(FP), DX
	MOVQ dim+32(FP), R8
	MOVQ CX, R9
	SHLQ $2, R9             // bytes from one element of a column to the next

l2c512:
	TESTQ CX, CX
	JZ    l2c512done
	VPXORQ Z0, Z0, Z0
	VPXORQ Z1, Z1, Z1
	VPXORQ Z2, Z2, Z2
	VPXORQ Z3, Z3, Z3
	VPXORQ Z4, Z4, Z4
	VPXORQ Z5, Z5, Z5
	VPXORQ Z6, Z6, Z6
	VPXORQ Z7, Z7, Z7
	MOVQ  SI, R10
	XORQ  AX, AX

l2c512loop:
	VBROADCASTSS (DX)(AX*4), Z16
	VSUBPS 0(R10), Z16, Z17
	VSUBPS 64(R10), Z16, Z18
	VSUBPS 128(R10), Z16, Z19
	VSUBPS 192(R10), Z16, Z20
	VSUBPS 256(R10), Z16, Z21
	VSUBPS 320(R10), Z16, Z22
	VSUBPS 384(R10), Z16, Z23
	VSUBPS 448(R10), Z16, Z24
	VFMADD231PS Z17, Z17, Z0
	VFMADD231PS Z18, Z18, Z1
	VFMADD231PS Z19, Z19, Z2
	VFMADD231PS Z20, Z20, Z3
	VFMADD231PS Z21, Z21, Z4
	VFMADD231PS Z22, Z22, Z5
	VFMADD231PS Z23, Z23, Z6
	VFMADD231PS Z24, Z24, Z7
	ADDQ R9, R10
	INCQ AX
	CMPQ AX, R8
	JLT  l2c512loop
	VMOVUPS Z0, 0(DI)
	VMOVUPS Z1, 64(DI)
	VMOVUPS Z2, 128(DI)
	VMOVUPS Z3, 192(DI)
	VMOVUPS Z4, 256(DI)
	VMOVUPS Z5, 320(DI)
	VMOVUPS Z6, 384(DI)
	VMOVUPS Z7, 448(DI)
	ADDQ $512, DI
	ADDQ $512, SI
	SUBQ $128, CX
	JMP  l2c512

l2c512done:
	VZEROUPPER
	RET

// func l2ColumnsOfTwoAVX512(dst, dst2 *float32, n int, columns, v, v2 *float32, dim int)
// n is a multiple of 128.
TEXT ·l2ColumnsOfTwoAVX512(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ dst2+8(FP), BX
	MOVQ n+16(FP), CX
	MOVQ columns+24(FP), SI
	MOVQ v+32(FP), DX
	MOVQ v2+40(FP), R11
	MOVQ dim+48(FP), R8
	MOVQ CX, R9
	SHLQ $2, R9             // bytes from one element of a column to the next

l2c2x:
	TESTQ CX, CX
	JZ    l2c2xdone
	VPXORQ Z0, Z0, Z0
	VPXORQ Z1, Z1, Z1
	VPXORQ Z2, Z2, Z2
	VPXORQ Z3, Z3, Z3
	VPXORQ Z4, Z4, Z4
	VPXORQ Z5, Z5, Z5
	VPXORQ Z6, Z6, Z6
	VPXORQ Z7, Z7, Z7
	VPXORQ Z8, Z8, Z8
	VPXORQ Z9, Z9, Z9
	VPXORQ Z10, Z10, Z10
	VPXORQ Z11, Z11, Z11
	VPXORQ Z12, Z12, Z12
	VPXORQ Z13, Z13, Z13
	VPXORQ Z14, Z14, Z14
	VPXORQ Z15, Z15, Z15
	MOVQ  SI, R10
	XORQ  AX, AX

l2c2xloop:
	VBROADCASTSS (DX)(AX*4), Z16
	VBROADCASTSS (R11)(AX*4), Z17
	VMOVUPS 0(R10), Z18
	VSUBPS Z18, Z16, Z20
	VSUBPS Z18, Z17, Z24
	VFMADD231PS Z20, Z20, Z0
	VFMADD231PS Z24, Z24, Z8
	VMOVUPS 64(R10), Z18
	VSUBPS Z18, Z16, Z21
	VSUBPS Z18, Z17, Z25
	VFMADD231PS Z21, Z21, Z1
	VFMADD231PS Z25, Z25, Z9
	VMOVUPS 128(R10), Z18
	VSUBPS Z18, Z16, Z22
	VSUBPS Z18, Z17, Z26
	VFMADD231PS Z22, Z22, Z2
	VFMADD231PS Z26, Z26, Z10
	VMOVUPS 192(R10), Z18
	VSUBPS Z18, Z16, Z23
	VSUBPS Z18, Z17, Z27
	VFMADD231PS Z23, Z23, Z3
	VFMADD231PS Z27, Z27, Z11
	VMOVUPS 256(R10), Z18
	VSUBPS Z18, Z16, Z20
	VSUBPS Z18, Z17, Z24
	VFMADD231PS Z20, Z20, Z4
	VFMADD231PS Z24, Z24, Z12
	VMOVUPS 320(R10), Z18
	VSUBPS Z18, Z16, Z21
	VSUBPS Z18, Z17, Z25
	VFMADD231PS Z21, Z21, Z5
	VFMADD231PS Z25, Z25, Z13
	VMOVUPS 384(R10), Z18
	VSUBPS Z18, Z16, Z22
	VSUBPS Z18, Z17, Z26
	VFMADD231PS Z22, Z22, Z6
	VFMADD231PS Z26, Z26, Z14
	VMOVUPS 448(R10), Z18
	VSUBPS Z18, Z16, Z23
	VSUBPS Z18, Z17, Z27
	VFMADD231PS Z23, Z23, Z7
	VFMADD231PS Z27, Z27, Z15
	ADDQ R9, R10
	INCQ AX
	CMPQ AX, R8
	JLT  l2c2xloop
	VMOVUPS Z0, 0(DI)
	VMOVUPS Z1, 64(DI)
	VMOVUPS Z2, 128(DI)
	VMOVUPS Z3, 192(DI)
	VMOVUPS Z4, 256(DI)
	VMOVUPS Z5, 320(DI)
	VMOVUPS Z6, 384(DI)
	VMOVUPS Z7, 448(DI)
	VMOVUPS Z8, 0(BX)
	VMOVUPS Z9, 64(BX)
	VMOVUPS Z10, 128(BX)
	VMOVUPS Z11, 192(BX)
	VMOVUPS Z12, 256(BX)
	VMOVUPS Z13, 320(BX)
	VMOVUPS Z14, 384(BX)
	VMOVUPS Z15, 448(BX)
	ADDQ $512, DI
	ADDQ $512, BX
	ADDQ $512, SI
	SUBQ $128, CX
	JMP  l2c2x

l2c2xdone:
	VZEROUPPER
	RET

// func dotColumnsAVX2(dst *float32, n int, columns, v *float32, dim int)
TEXT ·dotColumnsAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ columns+16(FP), SI
	MOVQ v+24(FP), DX
	MOVQ dim+32(FP), R8
	MOVQ CX, R9
	SHLQ $2, R9

dotcnarrow:
	TESTQ  CX, CX
	JZ     dotcdone
	VXORPS Y0, Y0, Y0
	MOVQ   SI, R10
	XORQ   AX, AX

dotcloop:
	VBROADCASTSS (DX)(AX*4), Y8
	VFMADD231PS  (R10), Y8, Y0
	ADDQ         R9, R10
	INCQ         AX
	CMPQ         AX, R8
	JLT          dotcloop
	VMOVUPS      Y0, (DI)
	ADDQ         $32, DI
	ADDQ         $32, SI
	SUBQ         $8, CX
	JMP          dotcnarrow

dotcdone:
	VZEROUPPER
	RET

// func widenHalvesF16C(dst *float32, src *uint16, n int)
//
// n is a multiple of 8.
TEXT ·widenHalvesF16C(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	XORQ AX, AX

widenloop:
	CMPQ      AX, CX
	JGE       widendone
	VCVTPH2PS (SI)(AX*2), Y0
	VMOVUPS   Y0, (DI)(AX*4)
	ADDQ      $8, AX
	JMP       widenloop

widendone:
	VZEROUPPER
	RET

// func cpuidLeaf1ECX() uint32
TEXT ·cpuidLeaf1ECX(SB), NOSPLIT, $0-4
	MOVL $1, AX
	XORL CX, CX
	CPUID
	MOVL CX, ret+0(FP)
	RET

// func l2BytesAVX2(a, b *byte, n int) uint64
//
// n is a multiple of 16 and at most 1<<16, so that sums of squares stay within 32 bits.
TEXT ·l2BytesAVX2(SB), NOSPLIT, $0-32
	MOVQ  a+0(FP), SI
	MOVQ  b+8(FP), DX
	MOVQ  n+16(FP), CX
	VPXOR Y0, Y0, Y0
	XORQ  AX, AX

l2bloop:
	VPMOVZXBW (SI)(AX*1), Y1
	VPMOVZXBW (DX)(AX*1), Y2
	VPSUBW    Y2, Y1, Y1
	VPMADDWD  Y1, Y1, Y1
	VPADDD    Y1, Y0, Y0
	ADDQ      $16, AX
	CMPQ      AX, CX
	JLT       l2bloop
	VPXOR        Y3, Y3, Y3
	VPUNPCKLDQ   Y3, Y0, Y1
	VPUNPCKHDQ   Y3, Y0, Y0
	VPADDQ       Y1, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDQ       X1, X0, X0
	VPSRLDQ      $8, X0, X1
	VPADDQ       X1, X0, X0
	VMOVQ        X0, ret+24(FP)
	VZEROUPPER
	RET

// func dotBytesAVX2(a *float32, b *byte, n int) float32
//
// n is a multiple of 16.
TEXT ·dotBytesAVX2(SB), NOSPLIT, $0-28
	MOVQ   a+0(FP), SI
	MOVQ   b+8(FP), DX
	MOVQ   n+16(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	XORQ   AX, AX

dotbloop:
	VPMOVZXBD   (DX)(AX*1), Y2
	VPMOVZXBD   8(DX)(AX*1), Y3
	VCVTDQ2PS   Y2, Y2
	VCVTDQ2PS   Y3, Y3
	VFMADD231PS (SI)(AX*4), Y2, Y0
	VFMADD231PS 32(SI)(AX*4), Y3, Y1
	ADDQ        $16, AX
	CMPQ        AX, CX
	JLT         dotbloop
	VADDPS Y1, Y0, Y0
	SUM_LANES(Y0, X0, X1)
	VMOVSS X0, ret+24(FP)
	VZEROUPPER
	RET

// The numbers of eight lanes.
DATA laneNumbers<>+0(SB)/4, $0
DATA laneNumbers<>+4(SB)/4, $1
DATA laneNumbers<>+8(SB)/4, $2
DATA laneNumbers<>+12(SB)/4, $3
DATA laneNumbers<>+16(SB)/4, $4
DATA laneNumbers<>+20(SB)/4, $5
DATA laneNumbers<>+24(SB)/4, $6
DATA laneNumbers<>+28(SB)/4, $7
GLOBL laneNumbers<>(SB), RODATA|NOPTR, $32

// Keeps the smaller of ACC and the best at OFF(DI), and with it the number, Y15, at OFF(SI). Y12 and Y13 are scratch.
#define KEEP_BEST(ACC, OFF) \
	VMOVUPS   OFF(DI), Y12          \
	VCMPPS    $1, Y12, ACC, Y13     \
	VMOVUPS   OFF(SI), Y14          \
	VBLENDVPS Y13, ACC, Y12, Y12    \
	VBLENDVPS Y13, Y15, Y14, Y14    \
	VMOVUPS   Y12, OFF(DI)          \
	VMOVUPS   Y14, OFF(SI)

// func nearestTileAVX2(best *float32, index *uint32, rows *float32, strideBytes int, panels, starts *float32, numPanels, dim, first int)
//
// Six vectors against panels of 16 centres: twelve sums stay in Y0 … Y11, two for each vector.
//	DI best, SI index, DX row 0, BX row 3, R9 stride, R10 panel, R11 starts, CX panels left, R12 number of the first centre
TEXT ·nearestTileAVX2(SB), NOSPLIT, $0-72
	MOVQ best+0(FP), DI
	MOVQ index+8(FP), SI
	MOVQ strideBytes+24(FP), R9
	MOVQ panels+32(FP), R10
	MOVQ starts+40(FP), R11
	MOVQ numPanels+48(FP), CX
	MOVQ first+64(FP), R12

panel:
	MOVQ    rows+16(FP), DX
	LEAQ    (DX)(R9*2), BX
	ADDQ    R9, BX
	MOVQ    dim+56(FP), AX
	VMOVUPS (R11), Y0
	VMOVUPS 32(R11), Y1
	VMOVAPS Y0, Y2
	VMOVAPS Y1, Y3
	VMOVAPS Y0, Y4
	VMOVAPS Y1, Y5
	VMOVAPS Y0, Y6
	VMOVAPS Y1, Y7
	VMOVAPS Y0, Y8
	VMOVAPS Y1, Y9
	VMOVAPS Y0, Y10
	VMOVAPS Y1, Y11

element:
	VMOVUPS      (R10), Y12
	VMOVUPS      32(R10), Y13
	VBROADCASTSS (DX), Y14
	VBROADCASTSS (DX)(R9*1), Y15
	VFMADD231PS  Y14, Y12, Y0
	VFMADD231PS  Y14, Y13, Y1
	VFMADD231PS  Y15, Y12, Y2
	VFMADD231PS  Y15, Y13, Y3
	VBROADCASTSS (DX)(R9*2), Y14
	VBROADCASTSS (BX), Y15
	VFMADD231PS  Y14, Y12, Y4
	VFMADD231PS  Y14, Y13, Y5
	VFMADD231PS  Y15, Y12, Y6
	VFMADD231PS  Y15, Y13, Y7
	VBROADCASTSS (BX)(R9*1), Y14
	VBROADCASTSS (BX)(R9*2), Y15
	VFMADD231PS  Y14, Y12, Y8
	VFMADD231PS  Y14, Y13, Y9
	VFMADD231PS  Y15, Y12, Y10
	VFMADD231PS  Y15, Y13, Y11
	ADDQ         $4, DX
	ADDQ         $4, BX
	ADDQ         $64, R10
	DECQ         AX
	JNZ          element

	VMOVQ        R12, X15
	VPBROADCASTD X15, Y15
	VPADDD       laneNumbers<>(SB), Y15, Y15
	KEEP_BEST(Y0, 0)
	KEEP_BEST(Y2, 64)
	KEEP_BEST(Y4, 128)
	KEEP_BEST(Y6, 192)
	KEEP_BEST(Y8, 256)
	KEEP_BEST(Y10, 320)
	ADDQ         $8, R12
	VMOVQ        R12, X15
	VPBROADCASTD X15, Y15
	VPADDD       laneNumbers<>(SB), Y15, Y15
	KEEP_BEST(Y1, 32)
	KEEP_BEST(Y3, 96)
	KEEP_BEST(Y5, 160)
	KEEP_BEST(Y7, 224)
	KEEP_BEST(Y9, 288)
	KEEP_BEST(Y11, 352)
	ADDQ         $8, R12
	ADDQ         $64, R11
	DECQ         CX
	JNZ          panel
	VZEROUPPER
	RET
