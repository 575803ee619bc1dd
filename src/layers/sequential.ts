/** Layers one after the other. */
import { requireKnown } from '../tensor/checks.ts'
import { ArgumentError } from '../tensor/errors.ts'
import type { Layer } from './layer.ts'
import { Model } from './model.ts'
import { type InputSpec, SOLE_INPUT, SOLE_OUTPUT } from './parts.ts'

export interface SequentialOptions {
  /** Default: as the first data have it. */
  readonly input?: InputSpec
}

/**
 * Layers one after the other. The input's shape follows from the first data, or is given.
 * @throws {ArgumentError} for no layer, and what is no layer
 */
export function sequential(layers: readonly Layer[], options: SequentialOptions = {}): Model {
  requireKnown('sequential', options, ['input'])
  if (!Array.isArray(layers) || layers.length === 0) {
    const received = Array.isArray(layers) ? 'none' : typeof layers
    throw new ArgumentError(`sequential: expected at least one layer in a list; received ${received}`)
  }
  const calls = layers.map((layer: Layer, i) => {
    if (typeof layer === 'object' && typeof layer?.apply === 'function') {
      return { layer, from: [i === 0 ? { input: SOLE_INPUT } : { call: i - 1 }] }
    }
    throw new ArgumentError(
      `sequential: expected layers such as lstm({ units: 8 }); received ${typeof layer} (a cell needs recurrent(cell) around it)`,
    )
  })
  const model = new Model(calls, new Map([[SOLE_OUTPUT, { call: layers.length - 1 }]]))
  return options.input === undefined ? model : model.build(options.input)
}
