export interface FoundExpression {
  readonly source: string
  readonly flags: string
}

/** The regular expressions that a file writes as literals. A lexer of as much of TypeScript as that takes. */
export function regularExpressionsIn(text: string): readonly FoundExpression[] {
  const found: FoundExpression[] = []
  /** For each template that is open, how many braces are open in its expression. */
  const braces: number[] = []
  let at = 0
  let isAfterValue = false
  while (at < text.length) {
    const char = text[at] as string
    const isTemplate = char === '`' || (char === '}' && braces.at(-1) === 0)
    if (text.startsWith('//', at)) at = endOf(text, '\n', at)
    else if (text.startsWith('/*', at)) at = endOf(text, '*/', at + 2)
    else if (char === '"' || char === "'") {
      at = closing(text, char, at + 1) + 1
      isAfterValue = true
    } else if (isTemplate) {
      if (char === '}') braces.pop()
      at = afterTemplateText(text, at + 1)
      isAfterValue = text[at - 1] === '`'
      if (!isAfterValue) braces.push(0)
    } else if (char === '/' && !isAfterValue) {
      const end = closing(text, '/', at + 1)
      const flags = /^[a-z]*/.exec(text.slice(end + 1))?.[0] ?? ''
      found.push({ source: text.slice(at + 1, end), flags })
      at = end + 1 + flags.length
      isAfterValue = true
    } else if (/\w/.test(char)) {
      const word = /^\w+/.exec(text.slice(at))?.[0] ?? char
      isAfterValue = !['return', 'case', 'typeof', 'of', 'in'].includes(word)
      at += word.length
    } else {
      if (braces.length > 0 && (char === '{' || char === '}'))
        braces[braces.length - 1] = (braces.at(-1) ?? 0) + (char === '{' ? 1 : -1)
      if (/\S/.test(char)) isAfterValue = char === ')' || char === ']' || char === '}'
      at += 1
    }
  }
  return found
}

function endOf(text: string, end: string, from: number): number {
  const at = text.indexOf(end, from)
  return at < 0 ? text.length : at + end.length
}

/** Where the text or expression that began before `at` ends: at a `mark` that is neither escaped nor in a class. */
function closing(text: string, mark: string, from: number): number {
  let at = from
  let isInClass = false
  while (at < text.length && (text[at] !== mark || isInClass)) {
    if (text[at] === '\\') at += 1
    else if (mark === '/' && text[at] === '[') isInClass = true
    else if (text[at] === ']') isInClass = false
    at += 1
  }
  return at
}

/** After the backtick or the `${` that ends this part of a template. */
function afterTemplateText(text: string, from: number): number {
  let at = from
  while (at < text.length) {
    if (text[at] === '`') return at + 1
    if (text.startsWith('${', at)) return at + 2
    at += text[at] === '\\' ? 2 : 1
  }
  return at
}
