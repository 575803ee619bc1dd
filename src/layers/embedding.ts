import { count, type Fields, type Filled, fill, flag, parameterOf, text, weight } from '../cells/options.ts'
import { gather, not, where } from '../graph/value.ts'
import type { Initializer } from '../init/initializers.ts'
import type { Constraint, Regularizer } from '../init/rules.ts'
import { ShapeError } from '../tensor/errors.ts'
import { printShape } from '../tensor/size.ts'
import type { Layer, LayerScope, Signal } from './layer.ts'
import { onlyWhere } from './masks.ts'

export interface EmbeddingOptions {
  /** V, the size of the vocabulary. */
  readonly inputDim: number
  /** D, the length of a vector. */
  readonly outputDim: number
  /** How the table begins. Default: uniform within ±0.05. */
  readonly embeddingsInitializer?: Initializer
  /** Token 0 is padding: it reads zeros, and layers after this one take its step as masked. Default: false. */
  readonly maskZero?: boolean
  /** What the table adds to the loss. Default: nothing. */
  readonly embeddingsRegularizer?: Regularizer | undefined
  /** What the table is held to. Default: nothing. */
  readonly embeddingsConstraint?: Constraint | undefined
  readonly name?: string | undefined
}

const FIELDS = {
  inputDim: count,
  outputDim: count,
  ...parameterOf('embeddings', { kind: 'uniform', low: -0.05, high: 0.05 }),
  maskZero: flag(false),
  name: text,
} satisfies Fields<EmbeddingOptions>

/**
 * Row x of a table [V, D] for every token x. `fit`, `evaluate`, `predict` and `decode` refuse tokens outside
 * 0 … V−1, which would read zeros. With `maskZero`, steps of token 0 are
 * masked; where steps are sequences of tokens themselves, [T, B, S], what stands inside of them.
 */
export class Embedding implements Layer {
  readonly kind = 'embedding'
  readonly name: string | undefined
  readonly vocabulary: number
  readonly options: Filled<typeof FIELDS>

  constructor(options: EmbeddingOptions) {
    this.options = fill('embedding', FIELDS, options)
    this.name = options.name
    this.vocabulary = this.options.inputDim
  }

  apply(signal: Signal, scope: LayerScope): Signal {
    if (signal.value.dtype !== 'i32') {
      throw new ShapeError(
        `embedding: expected i32 tokens; received ${signal.value.dtype}${printShape(signal.value.shape)}`,
      )
    }
    const { inputDim, outputDim, maskZero } = this.options
    const table = scope.param('E', weight('embeddings', this.options, [inputDim, outputDim]))
    if (!maskZero) return { ...signal, value: gather(table, signal.value) }
    const own = signal.sequence ? onlyWhere(signal, (tokens) => not(tokens.equal(0))) : signal
    return { ...own, value: gather(table, where(own.value.equal(0), -1, own.value)) }
  }
}

export function embedding(options: EmbeddingOptions): Embedding {
  return new Embedding(options)
}
