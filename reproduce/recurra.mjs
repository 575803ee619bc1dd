/** The one door to the library: what `npm run build` made, through its public lists. */

export * from '../dist/data/index.js'
export * from '../dist/index.js'
