/** Element types. `f32` is IEEE binary32 on the fast backends and binary64 in the oracle. */
export type Dtype = 'f32' | 'i32' | 'bool'

/** What backs a tensor of each element type outside a program; `bool` is 0 or 1. */
export type TensorData = Float32Array | Int32Array

export function allocate(dtype: Dtype, length: number): TensorData {
  return dtype === 'f32' ? new Float32Array(length) : new Int32Array(length)
}
