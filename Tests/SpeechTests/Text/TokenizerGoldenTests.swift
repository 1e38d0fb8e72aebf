// Tokenizers against the `tokenizers` library: ids and text of 1,500 strings in many scripts, made
// by Tests/Peers/make_tokenizer_fixtures.py.

import Foundation
import JSON
import Speech
import Testing

private func fixture(_ name: String) -> String {
  Bundle.module.resourceURL!.appendingPathComponent("Fixtures/tokenizers/\(name).json").path
}

private func golden() throws -> JSON {
  let bytes = try Data(contentsOf: URL(fileURLWithPath: fixture("golden")))
  return try JSON(parsing: Array(bytes), name: "golden.json")
}

/// Equal byte by byte; `==` would hold NFC and NFD for the same.
private func same(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }

private func ids(_ json: JSON) -> [Int] { json.elements!.map { $0.int! } }

@Suite struct TokenizerGoldenTests {
  static let all = [
    "gpt2", "qwen2", "llama3", "prefix", "lossy", "words", "lowercase", "letters",
  ]

  @Test(arguments: all) func encodesAndDecodesAsTheLibrary(_ name: String) throws {
    let golden = try golden()
    let texts = try golden.array("texts").map { $0.string! }
    let expected = try golden.object("tokenizers")[name]!
    let tokenizer = try Tokenizer(contentsOf: fixture(name))
    let before = ids(expected["before"]!)
    let after = ids(expected["after"]!)
    for (number, entry) in try expected.array("ids").enumerated() {
      let text = texts[number]
      let plain = try tokenizer.encode(text, addingSpecialTokens: false)
      #expect(plain == ids(entry), "text \(number): \(text.debugDescription)")
      #expect(try tokenizer.encode(text) == before + plain + after)
      let decoded = expected["decoded"]?["\(number)"]?.string ?? text
      let shown = tokenizer.decode(ids(entry))
      #expect(same(shown, decoded), "text \(number): \(shown.debugDescription)")
    }
    for entry in try expected.array("strange") {
      let (strange, shown) = (ids(entry.elements![0]), entry.elements!.dropFirst())
      #expect(same(tokenizer.decode(strange), shown.first!.string!), "\(strange)")
      let short = tokenizer.decode(strange, skippingSpecialTokens: true)
      #expect(same(short, shown.last!.string!), "\(strange)")
    }
    #expect(tokenizer.vocabularySize == expected["size"]?.int)
  }

  @Test(arguments: all) func namesEveryTokenBothWays(_ name: String) throws {
    let tokenizer = try Tokenizer(contentsOf: fixture(name))
    for id in 0..<tokenizer.vocabularySize {
      let token = try #require(tokenizer.token(id))
      #expect(tokenizer.id(of: token) == id)
    }
    #expect(tokenizer.token(tokenizer.vocabularySize) == nil)
    #expect(tokenizer.token(-1) == nil)
    #expect(tokenizer.id(of: "no such token") == nil)
  }
}
