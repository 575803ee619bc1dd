/** What losses are measured on: batches, checked against a model and what its losses take for targets. */
import type { Named, NamedBatch } from '../data/batches.ts'
import type { Model } from '../layers/model.ts'
import { type OpenShape, SOLE_OUTPUT } from '../layers/parts.ts'
import { requireFlag, requireKnown } from '../tensor/checks.ts'
import { ShapeError } from '../tensor/errors.ts'
import { isTensor } from '../tensor/padding.ts'
import { type Bindings, evaluateSize } from '../tensor/size.ts'
import { elementCount, type Tensor } from '../tensor/tensor.ts'
import { asTensor, bindInputs, entriesOf, requireNames } from './inputs.ts'
import type { Loss, Losses } from './losses.ts'

/** Checks a batch for training or evaluation, builds the model if it is not built, and binds the sizes. */
export async function bindBatch(model: Model, losses: Losses, batch: NamedBatch): Promise<Bindings> {
  requireTensors(batch)
  const bindings = bindInputs(model, mapNamed(batch.inputs, asTensor))
  return checkTargets(model, losses, batch, bindings)
}

/** @throws {ShapeError} where something else stands in the place of a batch or of its tensors */
function requireTensors(batch: NamedBatch): void {
  const names = ['inputs', 'targets', 'lengths', 'mask', 'weights'] as const
  for (const name of names) {
    const value = batch?.[name]
    if (value === undefined && batch && name !== 'inputs') continue
    const all = Object.values(value ?? {})
    if (isTensor(value) || (all.length > 0 && all.every(isTensor))) continue
    throw new ShapeError(
      `a batch's ${name} must be a tensor { data, shape, dtype }, such as tensor([…]) makes; received ${typeof value}`,
    )
  }
  requireKnown('batch', batch, [...names, 'reset'], 'field')
  requireFlag('batch', 'reset', batch.reset)
}

/** Throws unless targets fit the model's outputs under their losses, their numbers included; the sizes with theirs. */
async function checkTargets(
  model: Model,
  losses: Losses,
  batch: NamedBatch,
  bindings: Bindings,
): Promise<Bindings> {
  const { outputs } = model.built
  const targets = entriesOf(batch.targets, SOLE_OUTPUT)
  if (batch.targets !== undefined) requireNames('targets', targets, [...outputs.keys()])
  const all = new Map(bindings)
  for (const [name, loss] of losses) {
    const own = targets.find(([each]) => each === name)?.[1]
    const output = outputs.get(name)!
    if (!loss.rows) await checkTarget(loss, own, output, bindings, [model, batch])
    else for (const [size, bound] of loss.rows.bind(own, bindings.get('B')!, output)) all.set(size, bound)
  }
  return all
}

async function checkTarget(
  loss: Loss,
  targets: Tensor | undefined,
  output: OpenShape,
  bindings: Bindings,
  of: readonly [model: Model, batch: NamedBatch],
): Promise<void> {
  const sizes = [bindings.get('B')!, ...output.shape.map((size) => evaluateSize(size, bindings))]
  const classes = loss.targets === 'classes' ? sizes[sizes.length - 1]! : undefined
  const shape = classes === undefined ? sizes : sizes.slice(0, -1)
  const dtype = classes === undefined ? 'f32' : 'i32'
  const accepts = classes === undefined ? loss.accepts : classBelow(classes)
  const fits = targets?.dtype === dtype && String(targets.shape) === String(shape)
  if (fits && targets.data.length === elementCount(shape)) {
    if (accepts === undefined || targets.data.every((target: number) => accepts.test(target))) return
  }
  const { refuse, requireAccepted } = await import('./refused.ts')
  if (!fits || targets.data.length !== elementCount(shape)) refuse(loss, targets, { dtype, shape, sizes })
  requireAccepted(loss, targets!, accepts!, output, of)
}

function classBelow(classes: number): Loss['accepts'] {
  return {
    what: `a class 0 … ${classes - 1}`,
    test: (target) => Number.isInteger(target) && target >= 0 && target < classes,
  }
}

function mapNamed<T>(values: Named<Tensor>, change: (value: Tensor) => T): Named<T> {
  if (isTensor(values)) return change(values)
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]))
}
