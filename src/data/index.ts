/** The public face of `recurra/data`: from bytes to batches. */
export type { Sequence } from '../tensor/padding.ts'
export { type Batch, type Batches, sequences, textWindows } from './batches.ts'
export { type NGram, wittenBell } from './ngram.ts'
export { holdOut, type Split } from './split.ts'
export { decodeText, type TextEncoding } from './text.ts'
export { Vocabulary } from './vocabulary.ts'
