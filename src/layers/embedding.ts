import {
  CONSTRAINT,
  count,
  type Fields,
  type Filled,
  fill,
  initializer,
  REGULARIZER,
  text,
  weight,
} from '../cells/options.ts'
import { gather } from '../graph/value.ts'
import type { Initializer } from '../init/initializers.ts'
import type { Constraint, Regularizer } from '../init/rules.ts'
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
  /** What the table adds to the loss. Default: nothing. */
  readonly embeddingsRegularizer?: Regularizer | undefined
  /** What the table is held to. Default: nothing. */
  readonly embeddingsConstraint?: Constraint | undefined
  readonly name?: string | undefined
}

const FIELDS = {
  inputDim: count,
  outputDim: count,
  embeddingsInitializer: initializer({ kind: 'uniform', low: -0.05, high: 0.05 }),
  embeddingsRegularizer: REGULARIZER,
  embeddingsConstraint: CONSTRAINT,
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
    const { inputDim, outputDim } = this.options
    const table = scope.param('E', weight('embeddings', this.options, [inputDim, outputDim]))
    return { ...signal, value: gather(table, signal.value) }
  }
}

export function embedding(options: EmbeddingOptions): Embedding {
  return new Embedding(options)
}
