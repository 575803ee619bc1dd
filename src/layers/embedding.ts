import { gather } from '../graph/value.ts'
import type { Initializer } from '../init/initializers.ts'
import { requireUnits } from '../tensor/checks.ts'
import { ShapeError } from '../tensor/errors.ts'
import { printShape } from '../tensor/size.ts'
import type { Layer, LayerScope, Signal } from './layer.ts'

const DEFAULT: Initializer = { kind: 'uniform', low: -0.05, high: 0.05 }

export interface EmbeddingOptions {
  /** V, the size of the vocabulary. */
  readonly inputDim: number
  /** D, the length of a vector. */
  readonly outputDim: number
  /** How the table begins. Default: uniform within ±0.05. */
  readonly embeddingsInitializer?: Initializer
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
    const { inputDim, outputDim, embeddingsInitializer: init = DEFAULT } = this.options
    const table = scope.param('E', { shape: [inputDim, outputDim], init })
    return { ...signal, value: gather(table, signal.value) }
  }
}

export function embedding(options: EmbeddingOptions): Embedding {
  return new Embedding(options)
}
