/** When a model's targets can stand in for its outputs: what `teacherForcing` asks of model and loss. */
import { Recurrent } from '../layers/recurrent.ts'
import type { Sequential } from '../layers/sequential.ts'
import { ArgumentError } from '../tensor/errors.ts'
import type { Loss } from './losses.ts'

/** @throws {ArgumentError} where targets cannot be fed back; the layers of a model that is not built are not looked at */
export function checkForcing(model: Sequential, { name, targets }: Loss): void {
  if (model.isBuilt) checkLayers(model)
  if (targets === 'numbers') return
  throw new ArgumentError(
    `teacherForcing expects a loss on numbers of the output's shape, such as meanSquaredError: they are fed back in its ` +
      `place; received ${name}, whose targets are ${targets}, which cannot be fed back as they are`,
  )
}

function checkLayers(model: Sequential): void {
  const feeding = model.layers.filter((_, at) => isFedBack(model, at))
  const names = (layers: Sequential['layers']) => layers.map(({ name }) => name).join(', ')
  if (feeding.length === 0) {
    throw new ArgumentError(
      'teacherForcing expects a last layer that reads its own output: jordan({ units, outputs }), or recurrent(cell) of a ' +
        `cell whose defineCell names it as feedback; received ${names(model.layers)}`,
    )
  }
  const { name, layer } = model.layers[model.layers.length - 1]!
  if (!isFedBack(model, model.layers.length - 1)) {
    throw new ArgumentError(
      `teacherForcing expects the layer that reads its own output to be the last one, since targets stand in for the ` +
        `model's outputs; received ${names(feeding)} before ${name}`,
    )
  }
  if (layer.readsBackwards === true) {
    throw new ArgumentError(
      `teacherForcing expects the last layer to run from the first step to the last; received ${name}, which reads from ` +
        'the end',
    )
  }
  if (layer instanceof Recurrent && !layer.options.returnSequences) {
    throw new ArgumentError(
      `teacherForcing expects a target for every step; received ${name} without returnSequences: true`,
    )
  }
}

function isFedBack({ layers, built }: Sequential, at: number): boolean {
  const features = () => (at === 0 ? built.input.shape : built.shapes[at - 1]!).at(-1)!
  const { cells = [] } = layers[at]!.layer
  return cells.some((cell) => cell.trace(features()).feedback !== undefined)
}
