/** When a model's targets can stand in for its outputs: what `teacherForcing` asks of model and loss. */

import type { Model } from '../layers/model.ts'
import { type Call, SOLE_OUTPUT } from '../layers/parts.ts'
import { tracedFor } from '../layers/reading.ts'
import { Recurrent } from '../layers/recurrent.ts'
import { ArgumentError } from '../tensor/errors.ts'
import type { Losses } from './losses.ts'

/** @throws {ArgumentError} where targets cannot be fed back; the layers of a model that is not built are not looked at */
export function checkForcing(model: Model, losses: Losses): void {
  const loss = losses.get(SOLE_OUTPUT)
  const fed = model.outputs.get(SOLE_OUTPUT)
  if (loss === undefined || fed === undefined || !('call' in fed) || fed.call !== model.calls.length - 1) {
    throw new ArgumentError('teacherForcing expects a model with one output, that of its last layer')
  }
  const { name, targets } = loss
  if (model.isBuilt) checkLayers(model)
  if (targets === 'numbers') return
  throw new ArgumentError(
    `teacherForcing expects a loss on numbers of the output's shape, such as meanSquaredError: they are fed back in its ` +
      `place; received ${name}, whose targets are ${targets}, which cannot be fed back as they are`,
  )
}

function checkLayers(model: Model): void {
  const feeding = model.calls.filter((_, at) => isFedBack(model, at))
  const names = (layers: readonly Call[]) => layers.map(({ name }) => name).join(', ')
  if (feeding.length === 0) {
    throw new ArgumentError(
      'teacherForcing expects a last layer that reads its own output: jordan({ units, outputs }), or recurrent(cell) of a ' +
        `cell whose defineCell names it as feedback; received ${names(model.calls)}`,
    )
  }
  const { name, layer } = model.calls[model.calls.length - 1]!
  if (!isFedBack(model, model.calls.length - 1)) {
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

function isFedBack({ calls, built }: Model, at: number): boolean {
  const { cells = [] } = calls[at]!.layer
  return cells.some((cell) => tracedFor(cell, built.calls[at]!.inputs).feedback !== undefined)
}
