/** What stopped a knock; one sentence, or one a line where several things are wrong. */
export class KnockError extends Error {
  override readonly name = "KnockError";
}
