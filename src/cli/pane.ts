/** Progress in a terminal: an area that is redrawn in place, and the results below it. */
import pc from 'picocolors'
import type { ProgressEvent, SavedEvent, StartEvent, TextEvent } from '../tasks/text.ts'
import { Curve, LABEL } from './curve.ts'
import {
  backendLine,
  clockTime,
  grouped,
  nextLines,
  type Reporter,
  resultLines,
  startLines,
} from './report.ts'
import { flow, LiveArea, printable, wrap } from './terminal.ts'

const REDRAW_EVERY = 100
const WIDEST = 100

export interface PaneState {
  readonly curve: Curve
  readonly latest: ProgressEvent
  readonly sample: string
  /** What happens now, or what the user may do. */
  readonly status: string
}

/** The area's lines, fewer than `rows`, each narrower than `columns`. */
export function paneLines({ curve, latest, sample, status }: PaneState, columns: number, rows: number) {
  const wide = Math.min(columns - 1, WIDEST)
  const bar = wide - LABEL
  const done = Math.floor(latest.progress * bar)
  const percent = `${Math.floor(100 * latest.progress)}%`.padStart(LABEL - 2)
  const progress = [`${percent}  ${pc.green('━'.repeat(done))}${pc.dim('─'.repeat(bar - done))}`]
  const drawn = curve.draw(wide, rows < 24 ? 3 : 6).map((line) => {
    return pc.dim(line.slice(0, LABEL)) + pc.cyan(line.slice(LABEL))
  })
  const numbers = flow(
    [
      `epoch ${latest.epoch}`,
      `loss ${latest.loss.toFixed(3)}`,
      `${latest.bits.toFixed(3)} bits per character`,
      `${grouped(latest.charactersPerSecond)} characters/s`,
      `${clockTime(latest.secondsLeft)} left`,
    ],
    wide - 2,
  ).map((line) => `  ${line.replace(/[\d.,:]*\d/g, (number) => pc.bold(number))}`)
  const written =
    sample === '' ? [] : wrap(printable(sample).replace(/\n+/g, '\n').trim(), wide - 4).slice(0, 6)
  const quote = written.map((line) => `  ${pc.dim('│')} ${line}`)
  const caption = [`${' '.repeat(LABEL)}${pc.dim('bits per character')}`]
  const note = wrap(status, wide - 2).map((line) => `  ${pc.dim(line)}`)
  const layouts = [
    [
      '',
      ...caption,
      ...drawn,
      ...progress,
      '',
      ...numbers,
      '',
      ...quote,
      ...(quote.length > 0 ? [''] : []),
      ...note,
    ],
    ['', ...drawn, ...progress, ...numbers, ...note],
    [...progress, ...numbers],
  ]
  return layouts.find((lines) => lines.length < rows) ?? progress
}

export class Pane implements Reporter {
  readonly #stream: NodeJS.WriteStream
  readonly #files: readonly string[]
  readonly #area: LiveArea
  readonly #curve = new Curve()
  #start: StartEvent | undefined
  #saved: SavedEvent | undefined
  #latest: ProgressEvent | undefined
  #sample = ''
  #status = ''
  #stopping = false
  #next = 0
  readonly #draw = () => {
    if (this.#latest === undefined) return
    const state = { curve: this.#curve, latest: this.#latest, sample: this.#sample, status: this.#status }
    this.#area.draw(paneLines(state, this.#columns, this.#stream.rows))
  }

  /** @param files those that are trained on; none are the plays */
  constructor(stream: NodeJS.WriteStream, files: readonly string[]) {
    this.#stream = stream
    this.#files = files
    this.#area = new LiveArea(stream)
    stream.on('resize', this.#draw)
  }

  on(event: TextEvent): void {
    switch (event.kind) {
      case 'start':
        this.#start = event
        this.#status = `Ctrl-C stops and saves to ${event.options.out}`
        this.#print(startLines(event))
        break
      case 'backend':
        this.#print([backendLine(event)])
        break
      case 'step': {
        this.#latest = event
        this.#curve.add(event.progress, event.bits)
        const now = performance.now()
        if (now < this.#next) break
        this.#next = now + REDRAW_EVERY
        this.#draw()
        break
      }
      case 'sample':
        this.#sample = event.text
        this.#draw()
        break
      case 'saved':
        this.#saved = event
        this.#status = this.#stopping ? 'stopped' : `saved to ${event.path}; reading the held-out text`
        this.#draw()
        break
      case 'end':
        this.#sample = ''
        this.#status = `saved to ${this.#saved!.path}`
        this.#draw()
        this.close()
        this.#print(['', ...resultLines(event, this.#saved!, this.#start!)])
        this.#print(['', pc.dim('It writes:'), ''])
        this.#print(printable(event.sample).split('\n'))
        this.#print(['', pc.dim('Next: let it write, train longer, train on a text of your own'), ''])
        // Not wrapped: they are to be copied.
        for (const line of nextLines(this.#saved!, this.#start!, this.#files))
          this.#stream.write(`  ${line}\n`)
        break
    }
  }

  stopping(): void {
    this.#stopping = true
    this.#status = 'stopping after this step; Ctrl-C again ends at once'
    this.#draw()
  }

  close(): void {
    this.#stream.off('resize', this.#draw)
    this.#area.close()
  }

  get #columns(): number {
    return this.#stream.columns || 80
  }

  #print(lines: readonly string[]): void {
    const whole = lines.flatMap((line) => wrap(line, this.#columns - 1))
    this.#stream.write(whole.map((line) => `${line}\n`).join(''))
  }
}
