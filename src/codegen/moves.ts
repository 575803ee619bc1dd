/** What graphs need that move rows by their indices. Loaded with the first of them. */
import { simplify } from '../passes/simplify.ts'
import { touchedRows } from '../passes/touched-rows.ts'
import { lowerRows, settle } from './lower-rows.ts'

export const MOVES = { passes: [touchedRows, simplify], lower: lowerRows, settle } as const
