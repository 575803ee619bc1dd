import { expect, test } from 'vitest'
import { Curve } from './curve.ts'
import { paneLines } from './pane.ts'
import { flow, LiveArea, printable, wrap } from './terminal.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what it looks for
const plain = (lines: readonly string[]) => lines.map((line) => line.replace(/\u001B\[[\d;]*m/g, ''))

function state(sample: string) {
  const curve = new Curve()
  for (let i = 0; i <= 400; i++) curve.add(i / 1000, 6 - i / 100)
  const latest = { step: 400, epoch: 3, progress: 0.4, secondsLeft: 75.2, loss: 1.5, bits: 2.164 }
  return {
    curve,
    sample,
    status: 'Ctrl-C stops',
    latest: { kind: 'step', charactersPerSecond: 51234.5, ...latest } as const,
  }
}

test('the pane at 60 columns', () => {
  expect(plain(paneLines(state('To be,\nor\u001B[2J not'), 60, 24))).toEqual([
    '',
    '        bits per character',
    '  5.90 │█▆▃▁                 ',
    '       │████▆▄▂              ',
    '       │███████▇▅▃           ',
    '       │███████████▆▃▁       ',
    '       │██████████████▇▄▂    ',
    '  2.03 │█████████████████▇▅▃▁',
    '   40%  ━━━━━━━━━━━━━━━━━━━━───────────────────────────────',
    '',
    '  epoch 3   loss 1.500   2.164 bits per character',
    '  51,235 characters/s   1:16 left',
    '',
    '  │ To be,',
    '  │ or\u{FFFD}[2J not',
    '',
    '  Ctrl-C stops',
  ])
})

test('never wider than the terminal, and lower than it', () => {
  for (let columns = 40; columns <= 130; columns += 6) {
    for (const rows of [5, 10, 16, 24, 50]) {
      const lines = plain(paneLines(state('漢字かな交じり文 '.repeat(20)), columns, rows))
      expect(lines.length).toBeLessThan(rows)
      for (const line of lines) {
        const double = line.match(/\p{Script=Han}|\p{Script=Hiragana}/gu)?.length ?? 0
        expect(line.length + double).toBeLessThan(columns)
      }
    }
  }
})

test('text is broken between words, and within them only where it must be', () => {
  expect(wrap('to be or not\n\nabcdefgh x', 5)).toEqual(['to be', 'or', 'not', '', 'abcde', 'fgh x'])
  expect(flow(['ab', 'cd', 'ef'], 7)).toEqual(['ab   cd', 'ef'])
  expect(printable('a\tb\u001B[31m\r\nc\u202E')).toBe('a b\u{FFFD}[31m\u{FFFD}\nc\u{FFFD}')
})

test('an area is drawn over itself, and the cursor comes back', () => {
  let written = ''
  const stream = { columns: 10, write: (text: string) => (written += text) } as unknown as NodeJS.WriteStream
  const area = new LiveArea(stream)
  area.draw(['one', 'seventeen'])
  expect(written).toBe('\u001B[?25l\rone\u001B[K\nseventeen\u001B[K\n\u001B[J')
  stream.columns = 5
  written = ''
  area.draw(['two'])
  expect(written).toBe('\u001B[?25l\r\u001B[3Atwo\u001B[K\n\u001B[J')
  written = ''
  area.close()
  area.close()
  expect(written).toBe('\u001B[?25h')
})
