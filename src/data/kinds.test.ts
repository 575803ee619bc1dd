/** DNA, SMILES, words, passages, video: round trips and definitions. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { Molecule } from 'openchemlib'
import { expect, test } from 'vitest'
import { tensor } from '../tensor/tensor.ts'
import {
  decodeDna,
  decodeKmer,
  encodeDna,
  kmers,
  movingDots,
  oneHotDna,
  padNested,
  parseFasta,
  plantedMotif,
  reverseComplement,
  segmentPassage,
  segmentWords,
  tokenizeSmiles,
  WordVocabulary,
} from './index.ts'

const dna = (letters: string) => fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 40 })

test('DNA: ids and back, the other strand twice, k-mers one by one', () => {
  expect(oneHotDna('gAuRn').data).toEqual(
    tensor([[0, 0, 1, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1]]).data, // biome-ignore format: one line
  )
  expect(reverseComplement('AAcgRYKMBDHVSWNu')).toBe('aNWSBDHVKMRYcgTT')
  expect(kmers('ACGTNA', 2)).toEqual(Int32Array.of(1, 6, 11, 16, 16))
  fc.assert(
    fc.property(dna('ACGTN'), dna('ACGTRYSWKMBDHVNacgtryswkmbdhvn'), (known, any) => {
      expect(decodeDna(encodeDna(known))).toBe(known)
      expect(reverseComplement(reverseComplement(any))).toBe(any)
      for (const [k, stride] of [
        [1, 1],
        [2, 3],
        [3, 1],
        [5, 2],
      ] as const) {
        // biome-ignore format: one line
        if (known.length < k) continue
        const expected = Array.from({ length: Math.floor((known.length - k) / stride) + 1 }, (_, n) => {
          const kmer = known.slice(n * stride, n * stride + k)
          return kmer.includes('N') ? 'N'.repeat(k) : kmer
        })
        expect(Array.from(kmers(known, k, { stride }), (id) => decodeKmer(id, k))).toEqual(expected)
      }
    }),
  )
})

test('FASTA: records, comments, line ends, lines joined', () => {
  const text = '; made by hand\n>one first of two\r\nACGT\r\nNN\n\n> two\rAC-*\n'
  expect(parseFasta(text, 'x')).toEqual([
    { id: 'one', description: 'first of two', sequence: 'ACGTNN' },
    { id: 'two', description: '', sequence: 'AC-*' },
  ])
})

test.each(['TATAAT', 'A', 'AA', 'ACGT'])('a motif %s stands once in half of the sequences', (motif) => {
  for (const bothStrands of [false, true]) {
    const options = { count: 301, length: 40, motif, bothStrands, seed: 3 }
    const { sequences, contains, positions } = plantedMotif(options)
    const forms = new Set(bothStrands ? [motif, reverseComplement(motif)] : [motif])
    let onTheOther = 0
    for (const [n, sequence] of sequences.entries()) {
      const found = [...sequence].flatMap((_, at) => (forms.has(sequence.slice(at, at + motif.length)) ? [at] : [])) // biome-ignore format: one line
      expect(found).toEqual(positions[n]! < 0 ? [] : [positions[n]])
      expect(contains[n]).toBe(found.length)
      expect(sequence).toMatch(/^[ACGT]{40}$/)
      if (found.length > 0 && !sequence.startsWith(motif, found[0])) onTheOther++
    }
    expect(contains.reduce((sum, one) => sum + one, 0)).toBe(151)
    expect(onTheOther > 30).toBe(forms.size > 1)
    expect(plantedMotif(options).sequences).toEqual(sequences)
  }
})

test('SMILES: 7,236 real strings are their tokens; openchemlib judges them, and what is cut off', () => {
  expect(tokenizeSmiles('C[C@@H](Cl)c1ccc(Br)cc1/C=C\\N%12')).toEqual(
    'C [C@@H] ( Cl ) c 1 c c c ( Br ) c c 1 / C = C \\ N %12'.split(' '),
  )
  const require = createRequire(import.meta.url)
  const file = readFileSync(join(dirname(require.resolve('smiles-drawer')), '../example/drugbank.js'), 'utf8')
  const all = [...file.matchAll(/^\s*'(.*)',?$/gm)].map(([, literal]) => literal!.replaceAll('\\\\', '\\'))
  expect(all.length).toBe(7236)
  const tokens = all.map(tokenizeSmiles)
  expect(tokens.map((each) => each.join(''))).toEqual(all)
  const vocabulary = WordVocabulary.of(tokens.flat())
  expect(vocabulary.decode(vocabulary.encode(tokens[0]!))).toEqual(tokens[0])

  const share = (of: readonly string[][]) => of.filter((each) => isMolecule(each.join(''))).length / of.length
  const some = tokens.filter((each, i) => i % 50 === 0 && each.length > 10)
  const [whole, cut] = [share(some), share(some.map((each) => each.slice(0, -5)))]
  console.log(
    `molecules: ${some.length} strings ${whole.toFixed(3)}, without their last five tokens ${cut.toFixed(3)}`,
  )
  expect(whole).toBeGreaterThan(0.95)
  expect(cut).toBeLessThan(0.5)
})

function isMolecule(smiles: string): boolean {
  try {
    return Molecule.fromSmiles(smiles).getAllAtoms() > 0
  } catch {
    return false
  }
}

test('words and passages: split, counted, padded', () => {
  expect(segmentWords("She sang a song, didn't she?", { lowercase: true, punctuation: false })).toEqual([
    'she',
    'sang',
    'a',
    'song',
    "didn't",
    'she', // biome-ignore format: one line
  ])
  const passage = segmentPassage('One two. Three!\n \nFour.\r\n\r\n\r\n')
  expect(passage).toEqual([[['One', 'two', '.'], ['Three', '!']], [['Four', '.']]]) // biome-ignore format: one line

  const vocabulary = WordVocabulary.of(passage.flat(2), { maxTokens: 5 })
  expect(vocabulary.words).toEqual(['', '[UNK]', '.', '!', 'Four'])
  expect(vocabulary.decode(vocabulary.encode(['Four', 'five', '.']))).toEqual(['Four', '[UNK]', '.'])
  expect(WordVocabulary.of(passage.flat(2), { minCount: 2 }).words).toEqual(['', '[UNK]', '.'])
  expect(WordVocabulary.from(vocabulary.words.slice(2)).encode(['!'])).toEqual(Int32Array.of(3))

  const ids = passage.map((chapter) => chapter.map((sentence) => vocabulary.encode(sentence)))
  expect(padNested(ids)).toEqual({
    ids: tensor([[[1, 1, 2], [1, 3, 0]], [[4, 2, 0], [0, 0, 0]]], undefined, 'i32'), // biome-ignore format: one line
    lengths: [tensor(Int32Array.of(2, 1)), tensor(Int32Array.of(3, 2, 2, 0), [2, 2])],
  })
})

test('lists of lists come back from their tensor by their lengths', () => {
  const list = <T>(each: fc.Arbitrary<T>) => fc.array(each, { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(list(list(list(fc.integer({ min: 1, max: 9 })))), (rows) => {
      const { ids, lengths } = padNested(rows, -1)
      const [, C, W] = ids.shape as [number, number, number]
      const back = Array.from(lengths[0]!.data, (chapters, b) =>
        Array.from({ length: chapters }, (_, c) => {
          const start = (b * C + c) * W
          return Array.from(ids.data.slice(start, start + lengths[1]!.data[b * C + c]!))
        }),
      )
      expect(back).toEqual(rows)
      expect(Array.from(ids.data).filter((id) => id > 0)).toEqual(rows.flat(2))
    }),
  )
})

test('a moving dot: one pixel a frame, at its position, moved as labeled, turned only at walls', () => {
  const [B, T, H, W] = [60, 9, 5, 7]
  const { inputs, positions, directions, labels } = movingDots({ clips: B, frames: T, height: H, width: W })
  expect(inputs.shape).toEqual([B, T, H, W, 1])
  const angle = (row: number, column: number) => ((Math.atan2(column, -row) / Math.PI) * 4 + 8) % 8
  for (let frame = 0; frame < B * T; frame++) {
    const [b, t] = [Math.floor(frame / T), frame % T]
    const image = inputs.data.slice(frame * H * W, (frame + 1) * H * W)
    const [row, column] = positions.data.slice(2 * frame, 2 * frame + 2) as unknown as [number, number]
    expect(Array.from(image).flatMap((x, i) => (x === 0 ? [] : [[x, i]]))).toEqual([[1, row * W + column]])
    if (t === 0) expect(labels.data[b]).toBe(directions.data[frame])
    if (t === 0) continue
    const [above, before] = positions.data.slice(2 * frame - 2, 2 * frame) as unknown as [number, number]
    expect(directions.data[frame]).toBe(Math.round(angle(row - above, column - before)))
    if (t === 1) expect(labels.data[b]).toBe(directions.data[frame])
    const inside = above % (H - 1) !== 0 && before % (W - 1) !== 0
    if (inside) expect(directions.data[frame]).toBe(directions.data[frame - 1])
  }
  expect(new Set(labels.data).size).toBe(8)
  const noisy = movingDots({ clips: B, frames: T, height: H, width: W, noise: 0.5 })
  const noise = noisy.inputs.data.map((x, i) => x - inputs.data[i]!) as Float32Array
  const variance = noise.reduce((sum, x) => sum + x * x, 0) / noise.length
  expect(Math.abs(variance - 0.25)).toBeLessThan(0.01)
})
