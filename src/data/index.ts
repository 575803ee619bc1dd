/** The public face of `recurra/data`: from bytes to batches. */
export type { Sequence } from '../tensor/padding.ts'
export { type AddingOptions, addingProblem } from './adding-problem.ts'
export { ADDITION_CHARACTERS, additionSums, type Sums } from './addition.ts'
export { type LinearForecast, linearForecast, naiveForecast } from './baselines.ts'
export { type Batch, type Batches, type Examples, type NamedBatch, textWindows } from './batches.ts'
export type { Cell, CellValue, ColumnKind } from './cells.ts'
export { type CopyOptions, copyMemory } from './copy-memory.ts'
export { type CsvOptions, parseCsv } from './csv.ts'
export { type DatePairs, datePairs } from './dates.ts'
export {
  decodeDna,
  decodeKmer,
  encodeDna,
  type FastaRecord,
  kmers,
  oneHotDna,
  parseFasta,
  reverseComplement,
} from './dna.ts'
export type { Seeded } from './draws.ts'
export { type MackeyGlassOptions, mackeyGlass } from './mackey-glass.ts'
export { type MotifExamples, type MotifOptions, plantedMotif } from './motif.ts'
export { narma10 } from './narma.ts'
export { type NGram, wittenBell } from './ngram.ts'
export { oneHot } from './one-hot.ts'
export { parseParquet } from './parquet.ts'
export { type NestedIds, type Padded, padNested } from './ragged.ts'
export { isReber, REBER_LETTERS, type ReberExamples, reberStrings } from './reber.ts'
export { minMax, type Scaler, standardize } from './scale.ts'
export { type NamedSequencesOptions, type SequencesOptions, sequences } from './sequences.ts'
export { type Series, type WindowOptions, windows } from './series.ts'
export { tokenizeSmiles } from './smiles.ts'
export { holdOut, type Parts, type Shares, type Split, splitInOrder } from './split.ts'
export { type QueryOptions, type QueryParameter, queryTable } from './sql.ts'
export type { ColumnSummary, TableSummary } from './summary.ts'
export { type Table, type TableSeriesOptions, tableOf } from './table.ts'
export { decodeText, type TextEncoding } from './text.ts'
export { twoSines } from './two-sines.ts'
export { type MovingDots, type MovingDotsOptions, movingDots } from './video.ts'
export { Vocabulary } from './vocabulary.ts'
export {
  type SegmentOptions,
  segmentPassage,
  segmentSentences,
  segmentWords,
  WordVocabulary,
} from './words.ts'
