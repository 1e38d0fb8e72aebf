// How a recogniser writes the members of a pair.

import Corpus
import Testing

@Suite struct TranscriptFormTests {
  @Test func beginsWithSpaceAndCapital() throws {
    let form = try #require(
      TranscriptForm(clean: "say the red pat again", corrupt: "say the red bat again"))
    #expect(form.beginning == " Say the red")
    #expect(form.clean == " pat" && form.corrupt == " bat")
  }

  @Test func firstWordIsCapitalised() throws {
    let form = try #require(TranscriptForm(clean: "pin six and tie", corrupt: "bin six and tie"))
    #expect(form.beginning.isEmpty)
    #expect(form.clean == " Pin" && form.corrupt == " Bin")
  }

  @Test func digitsAreNumerals() throws {
    let form = try #require(
      TranscriptForm(clean: "nine zero four", corrupt: "nine zero seven", isDigits: true))
    #expect(form.beginning == " 9, 0,")
    #expect(form.clean == " 4" && form.corrupt == " 7")
    // Outside strings of digits a number is a word.
    let words = try #require(TranscriptForm(clean: "pin one", corrupt: "pin two"))
    #expect(words.clean == " one")
  }

  @Test func onlyOneWordMayDiffer() {
    #expect(TranscriptForm(clean: "a b", corrupt: "a b") == nil)
    #expect(TranscriptForm(clean: "a b", corrupt: "a b c") == nil)
  }
}
