// Its one file is copied here as preact.js, see assemble.mjs: browsers know no packages.
export * from 'preact'
