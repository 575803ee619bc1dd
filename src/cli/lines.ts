/** Progress as plain lines, for logs and pipes: one about every five seconds. Their form is stable. */
import type { ProgressEvent, SavedEvent, StartEvent, TextEvent } from '../tasks/text.ts'
import { backendLine, nextLines, type Reporter, resultLines, startLines } from './report.ts'

const EVERY = 5000

export class Lines implements Reporter {
  readonly #files: readonly string[]
  #start: StartEvent | undefined
  #saved: SavedEvent | undefined
  #latest: ProgressEvent | undefined
  #next = 0

  /** @param files those that are trained on; none are the plays */
  constructor(files: readonly string[]) {
    this.#files = files
  }

  on(event: TextEvent): void {
    switch (event.kind) {
      case 'start':
        this.#start = event
        print(...startLines(event))
        break
      case 'backend':
        print(backendLine(event))
        break
      case 'step': {
        this.#latest = event
        const now = performance.now()
        if (now < this.#next) break
        this.#next = now + EVERY
        print(progressLine(event))
        break
      }
      case 'sample':
        print(`sample ${JSON.stringify(event.text)}`)
        break
      case 'saved':
        this.#saved = event
        print(progressLine(this.#latest!), `saved ${event.path} after ${event.steps} steps`)
        break
      case 'end':
        print(
          ...resultLines(event, this.#saved!, this.#start!),
          `sample ${JSON.stringify(event.sample)}`,
          ...nextLines(this.#saved!, this.#start!, this.#files).map((line) => `next: ${line}`),
        )
        break
    }
  }

  stopping(): void {
    print('stopping after this step')
  }

  close(): void {}
}

function progressLine(event: ProgressEvent): string {
  const { progress, step, epoch, loss, bits, charactersPerSecond, secondsLeft } = event
  return [
    `progress ${Math.floor(100 * progress)}%`,
    `step ${step}`,
    `epoch ${epoch}`,
    `loss ${loss.toFixed(4)}`,
    `bits ${bits.toFixed(4)}`,
    `chars/s ${Math.round(charactersPerSecond)}`,
    `left ${Math.ceil(secondsLeft)}s`,
  ].join('  ')
}

function print(...lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''))
}
