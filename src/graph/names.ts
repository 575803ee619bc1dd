/** What operations are called elsewhere: total tables, so that a new operation says what it is in ONNX and in PyTorch. */
import type { ElementwiseName, OpKind, ReduceName } from './ops.ts'

export interface OperatorNames {
  /** The ONNX operator (opset 18), or 'none' where it takes several. */
  readonly onnx: string
  /** The PyTorch function, or 'none' where it takes several. */
  readonly pytorch: string
}

const named = (onnx: string, pytorch: string): OperatorNames => ({ onnx, pytorch })

export const ELEMENTWISE_NAMES: Readonly<Record<ElementwiseName, OperatorNames>> = {
  neg: named('Neg', 'torch.neg'),
  abs: named('Abs', 'torch.abs'),
  exp: named('Exp', 'torch.exp'),
  log: named('Log', 'torch.log'),
  sqrt: named('Sqrt', 'torch.sqrt'),
  floor: named('Floor', 'torch.floor'),
  sin: named('Sin', 'torch.sin'),
  cos: named('Cos', 'torch.cos'),
  tanh: named('Tanh', 'torch.tanh'),
  sigmoid: named('Sigmoid', 'torch.sigmoid'),
  add: named('Add', 'torch.add'),
  sub: named('Sub', 'torch.sub'),
  mul: named('Mul', 'torch.mul'),
  div: named('Div', 'torch.div'),
  // ONNX's Div of integers rounds towards 0.
  floorDiv: named('none', 'torch.floor_divide'),
  mod: named('Mod', 'torch.remainder'),
  max: named('Max', 'torch.maximum'),
  min: named('Min', 'torch.minimum'),
  less: named('Less', 'torch.lt'),
  lessEqual: named('LessOrEqual', 'torch.le'),
  equal: named('Equal', 'torch.eq'),
  and: named('And', 'torch.logical_and'),
  or: named('Or', 'torch.logical_or'),
  not: named('Not', 'torch.logical_not'),
  isFinite: named('none', 'torch.isfinite'),
  toF32: named('Cast', 'torch.Tensor.float'),
  toI32: named('Cast', 'torch.Tensor.int'),
  select: named('Where', 'torch.where'),
  random: named('none', 'none'),
  stopGradient: named('Identity', 'torch.Tensor.detach'),
}

export const REDUCE_NAMES: Readonly<Record<ReduceName, OperatorNames>> = {
  sum: named('ReduceSum', 'torch.sum'),
  max: named('ReduceMax', 'torch.amax'),
}

/** Element-wise functions and reductions stand in tables of their own; parameters and outputs have no operator. */
export const OPERATOR_NAMES: Readonly<
  Record<Exclude<OpKind, 'elementwise' | 'reduce' | 'param' | 'output'>, OperatorNames>
> = {
  constant: named('ConstantOfShape', 'torch.full'),
  size: named('Shape', 'torch.Tensor.size'),
  iota: named('Range', 'torch.arange'),
  broadcast: named('Expand', 'torch.Tensor.expand'),
  reshape: named('Reshape', 'torch.reshape'),
  transpose: named('Transpose', 'torch.permute'),
  slice: named('Slice', 'torch.narrow'),
  pad: named('Pad', 'torch.nn.functional.pad'),
  flip: named('Slice', 'torch.flip'),
  concat: named('Concat', 'torch.cat'),
  einsum: named('Einsum', 'torch.einsum'),
  gather: named('Gather', 'torch.index_select'),
  argsort: named('TopK', 'torch.argsort'),
  scatterAdd: named('ScatterND', 'torch.index_add'),
  firsts: named('none', 'none'),
  setRows: named('ScatterND', 'torch.index_copy'),
  scan: named('Scan', 'none'),
}
