/** The words that stand on the page: the caption, and below it the hashtags. */
export function publishedText({ caption, hashtags }: { caption: string; hashtags: readonly string[] }): string {
  const tags = hashtags.map((tag) => `#${tag}`).join(' ');
  return [caption, tags].filter((part) => part !== '').join('\n\n');
}
