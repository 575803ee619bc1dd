import { count, type Fields, type Filled, fill, initializer, text } from '../cells/options.ts'
import { gather } from '../graph/value.ts'
import { type Initializer, parameter } from '../init/initializers.ts'
import { ShapeError } from '../tensor/errors.ts'
import { printShape } from '../tensor/size.ts'
import type { Layer, LayerScope, Signal } from './layer.ts'

export interface EmbeddingOptions {
  /** V, the size of the vocabulary. */
  readonly inputDim: number
  /** D, the length of a vector. */
  readonly outputDim: number
  /** How the table begins. Default: uniform within ±0.05. */
  readonly embeddingsInitializer?: Initializer
  readonly name?: string | undefined
}

const FIELDS = {
  inputDim: count,
  outputDim: count,
  embeddingsInitializer: initializer({ kind: 'uniform', low: -0.05, high: 0.05 }),
  name: text,
} satisfies Fields<EmbeddingOptions>

/** Row x of a table [V, D] for every token x. A token outside 0 … V−1 reads zeros. */
export class Embedding implements Layer {
  readonly kind = 'embedding'
  readonly name: string | undefined
  readonly options: Filled<typeof FIELDS>

  constructor(options: EmbeddingOptions) {
    this.options = fill('embedding', FIELDS, options)
    this.name = options.name
  }

  apply(signal: Signal, scope: LayerScope): Signal {
    if (signal.value.dtype !== 'i32') {
      throw new ShapeError(
        `embedding: expected i32 tokens; received ${signal.value.dtype}${printShape(signal.value.shape)}`,
      )
    }
    const { inputDim, outputDim, embeddingsInitializer } = this.options
    const table = scope.param('E', parameter([inputDim, outputDim], embeddingsInitializer))
    return { ...signal, value: gather(table, signal.value) }
  }
}

export function embedding(options: EmbeddingOptions): Embedding {
  return new Embedding(options)
}
