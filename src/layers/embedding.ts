import { requireUnits } from '../cells/checks.ts'
import { gather } from '../graph/value.ts'
import { uniform } from '../init/initializers.ts'
import { ShapeError } from '../tensor/errors.ts'
import { printShape } from '../tensor/size.ts'
import type { Layer, LayerScope, Signal } from './layer.ts'

export interface EmbeddingOptions {
  /** V, the size of the vocabulary. */
  readonly inputDim: number
  /** D, the length of a vector. */
  readonly outputDim: number
  readonly name?: string
}

/** Row x of a table [V, D] for every token x. A token outside 0 … V−1 reads zeros. */
export class Embedding implements Layer {
  readonly kind = 'embedding'
  readonly name: string | undefined
  readonly options: EmbeddingOptions

  constructor(options: EmbeddingOptions) {
    requireUnits('embedding', options.inputDim, 'inputDim')
    requireUnits('embedding', options.outputDim, 'outputDim')
    this.name = options.name
    this.options = options
  }

  apply(signal: Signal, scope: LayerScope): Signal {
    if (signal.value.dtype !== 'i32') {
      throw new ShapeError(
        `embedding: expected i32 tokens; received ${signal.value.dtype}${printShape(signal.value.shape)}`,
      )
    }
    const { inputDim, outputDim } = this.options
    const table = scope.param('E', uniform(-0.05, 0.05, inputDim, outputDim))
    return { ...signal, value: gather(table, signal.value) }
  }
}

export function embedding(options: EmbeddingOptions): Embedding {
  return new Embedding(options)
}
