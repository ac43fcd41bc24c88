/** Returns the visible texts of a page, one for each element. Titles of pictures are not visible. */
export function texts(html: string): readonly string[] {
  const body = html.slice(html.indexOf("<body>")).replace(/<title>[^<]*<\/title>/g, "");
  return body
    .split(/<[^>]*>/)
    .map((text) => text.replace(/\s+/g, " ").trim())
    .filter((text) => text !== "");
}
