//go:build !noasm

#include "textflag.h"

DATA nibbles<>+0(SB)/4, $0x0f0f0f0f
GLOBL nibbles<>(SB), RODATA|NOPTR, $4
DATA nibble<>+0(SB)/4, $0x0000000f
GLOBL nibble<>(SB), RODATA|NOPTR, $4

// Takes the odd bytes' sums, ODD, out of the words of EVEN, adds the upper 16 bytes' to the lower ones', and adds the sixteen sums,
// which are in the order of the bytes then, to the doublewords at OFF(DI). Y and X name the same registers.
#define SPLIT_WORDS(EVEN, XEVEN, ODD, XODD, OFF) \
	VPSLLW       $8, ODD, Y8       \
	VPSUBW       Y8, EVEN, EVEN    \
	VEXTRACTI128 $1, EVEN, X8      \
	VPADDW       X8, XEVEN, XEVEN  \
	VEXTRACTI128 $1, ODD, X9       \
	VPADDW       X9, XODD, XODD    \
	VPUNPCKLWD   XODD, XEVEN, X8   \
	VPUNPCKHWD   XODD, XEVEN, X9   \
	VPMOVZXWD    X8, Y8            \
	VPMOVZXWD    X9, Y9            \
	VPADDD       OFF(DI), Y8, Y8   \
	VPADDD       OFF+32(DI), Y9, Y9 \
	VMOVDQU      Y8, OFF(DI)       \
	VMOVDQU      Y9, OFF+32(DI)

// func addSignsAVX2(sums *uint32, block, tables *byte, count int)
//
// count bytes of the codes of 32 rows, 1 to 128. Bytes that were looked up are added as words: Y0 and Y2 hold the sums of even bytes
// with those of odd ones 256 times, Y1 and Y3 those of odd bytes.
TEXT ·addSignsAVX2(SB), NOSPLIT, $0-32
	MOVQ         sums+0(FP), DI
	MOVQ         block+8(FP), SI
	MOVQ         tables+16(FP), DX
	MOVQ         count+24(FP), CX
	VPBROADCASTD nibbles<>(SB), Y15
	VPXOR        Y0, Y0, Y0
	VPXOR        Y1, Y1, Y1
	VPXOR        Y2, Y2, Y2
	VPXOR        Y3, Y3, Y3

signloop:
	VMOVDQU (SI), Y4
	VMOVDQU (DX), Y5
	VPAND   Y15, Y4, Y6
	VPSRLW  $4, Y4, Y7
	VPAND   Y15, Y7, Y7
	VPSHUFB Y6, Y5, Y6
	VPSHUFB Y7, Y5, Y7
	VPADDW  Y6, Y0, Y0
	VPSRLW  $8, Y6, Y6
	VPADDW  Y6, Y1, Y1
	VPADDW  Y7, Y2, Y2
	VPSRLW  $8, Y7, Y7
	VPADDW  Y7, Y3, Y3
	ADDQ    $32, SI
	ADDQ    $32, DX
	DECQ    CX
	JNZ     signloop

	SPLIT_WORDS(Y0, X0, Y1, X1, 0)
	SPLIT_WORDS(Y2, X2, Y3, X3, 64)
	VZEROUPPER
	RET

// Adds the upper half of Z to the lower one.
#define FOLD(Z, Y) \
	VEXTRACTI64X4 $1, Z, Y8 \
	VPADDW        Y8, Y, Y

// func addSignsAVX512(sums *uint32, block, tables *byte, count int)
//
// As addSignsAVX2, two bytes of each code at a time; count is even.
TEXT ·addSignsAVX512(SB), NOSPLIT, $0-32
	MOVQ         sums+0(FP), DI
	MOVQ         block+8(FP), SI
	MOVQ         tables+16(FP), DX
	MOVQ         count+24(FP), CX
	VPBROADCASTD nibbles<>(SB), Z15
	VPXORQ       Z0, Z0, Z0
	VPXORQ       Z1, Z1, Z1
	VPXORQ       Z2, Z2, Z2
	VPXORQ       Z3, Z3, Z3

signloop512:
	VMOVDQU64 (SI), Z4
	VMOVDQU64 (DX), Z5
	VPANDQ    Z15, Z4, Z6
	VPSRLW    $4, Z4, Z7
	VPANDQ    Z15, Z7, Z7
	VPSHUFB   Z6, Z5, Z6
	VPSHUFB   Z7, Z5, Z7
	VPADDW    Z6, Z0, Z0
	VPSRLW    $8, Z6, Z6
	VPADDW    Z6, Z1, Z1
	VPADDW    Z7, Z2, Z2
	VPSRLW    $8, Z7, Z7
	VPADDW    Z7, Z3, Z3
	ADDQ      $64, SI
	ADDQ      $64, DX
	SUBQ      $2, CX
	JNZ       signloop512

	FOLD(Z0, Y0)
	FOLD(Z1, Y1)
	FOLD(Z2, Y2)
	FOLD(Z3, Y3)
	SPLIT_WORDS(Y0, X0, Y1, X1, 0)
	SPLIT_WORDS(Y2, X2, Y3, X3, 64)
	VZEROUPPER
	RET

// func dotNibblesAVX2(v *float32, codes *byte, count int) float32
//
// count × 16 bytes of codes, each for 32 dimensions.
TEXT ·dotNibblesAVX2(SB), NOSPLIT, $0-28
	MOVQ         v+0(FP), SI
	MOVQ         codes+8(FP), DX
	MOVQ         count+16(FP), CX
	VPBROADCASTD nibble<>(SB), Y15
	VXORPS       Y0, Y0, Y0
	VXORPS       Y1, Y1, Y1
	VXORPS       Y2, Y2, Y2
	VXORPS       Y3, Y3, Y3

nibbleloop:
	VPMOVZXBD   (DX), Y4
	VPMOVZXBD   8(DX), Y5
	VPAND       Y15, Y4, Y6
	VPAND       Y15, Y5, Y7
	VPSRLD      $4, Y4, Y4
	VPSRLD      $4, Y5, Y5
	VCVTDQ2PS   Y6, Y6
	VCVTDQ2PS   Y7, Y7
	VCVTDQ2PS   Y4, Y4
	VCVTDQ2PS   Y5, Y5
	VFMADD231PS (SI), Y6, Y0
	VFMADD231PS 32(SI), Y7, Y1
	VFMADD231PS 64(SI), Y4, Y2
	VFMADD231PS 96(SI), Y5, Y3
	ADDQ        $128, SI
	ADDQ        $16, DX
	DECQ        CX
	JNZ         nibbleloop
	VADDPS      Y1, Y0, Y0
	VADDPS      Y3, Y2, Y2
	VADDPS      Y2, Y0, Y0

	VEXTRACTF128 $1, Y0, X1
	VADDPS       X1, X0, X0
	VMOVHLPS     X0, X0, X1
	VADDPS       X1, X0, X0
	VMOVSHDUP    X0, X1
	VADDSS       X1, X0, X0
	VMOVSS       X0, ret+24(FP)
	VZEROUPPER
	RET

// func dotNibblesAVX512(v *float32, codes *byte, count int) float32
//
// As dotNibblesAVX2, two groups of 32 dimensions at a time.
TEXT ·dotNibblesAVX512(SB), NOSPLIT, $0-28
	MOVQ         v+0(FP), SI
	MOVQ         codes+8(FP), DX
	MOVQ         count+16(FP), CX
	VPBROADCASTD nibble<>(SB), Z15
	VPXORQ       Z0, Z0, Z0
	VPXORQ       Z1, Z1, Z1
	VPXORQ       Z2, Z2, Z2
	VPXORQ       Z3, Z3, Z3
	SUBQ         $2, CX
	JLT          nibblelast

nibbleloop512:
	VPMOVZXBD   (DX), Z4
	VPMOVZXBD   16(DX), Z5
	VPANDD      Z15, Z4, Z6
	VPANDD      Z15, Z5, Z7
	VPSRLD      $4, Z4, Z4
	VPSRLD      $4, Z5, Z5
	VCVTDQ2PS   Z6, Z6
	VCVTDQ2PS   Z7, Z7
	VCVTDQ2PS   Z4, Z4
	VCVTDQ2PS   Z5, Z5
	VFMADD231PS (SI), Z6, Z0
	VFMADD231PS 64(SI), Z4, Z1
	VFMADD231PS 128(SI), Z7, Z2
	VFMADD231PS 192(SI), Z5, Z3
	ADDQ        $256, SI
	ADDQ        $32, DX
	SUBQ        $2, CX
	JGE         nibbleloop512

nibblelast:
	ADDQ        $2, CX
	JZ          nibblesum
	VPMOVZXBD   (DX), Z4
	VPANDD      Z15, Z4, Z6
	VPSRLD      $4, Z4, Z4
	VCVTDQ2PS   Z6, Z6
	VCVTDQ2PS   Z4, Z4
	VFMADD231PS (SI), Z6, Z0
	VFMADD231PS 64(SI), Z4, Z1

nibblesum:
	VADDPS        Z1, Z0, Z0
	VADDPS        Z3, Z2, Z2
	VADDPS        Z2, Z0, Z0
	VEXTRACTF64X4 $1, Z0, Y1
	VADDPS        Y1, Y0, Y0
	VEXTRACTF128  $1, Y0, X1
	VADDPS        X1, X0, X0
	VMOVHLPS      X0, X0, X1
	VADDPS        X1, X0, X0
	VMOVSHDUP     X0, X1
	VADDSS        X1, X0, X0
	VMOVSS        X0, ret+24(FP)
	VZEROUPPER
	RET
