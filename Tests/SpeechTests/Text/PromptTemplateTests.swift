// Whisper's prompts: models of several languages are told language and task, the English-only ones were
// trained without; the ids are those of the published vocabularies.

import Foundation
import JSON
import Speech
import Testing

@Suite struct PromptTemplateTests {
  /// A Whisper of the golden folder's sizes with another vocabulary.
  private func config(_ vocabulary: Int, _ generation: JSON = [:]) throws -> WhisperConfig {
    var members = try readJSON(stored("whisper/config.json")).members!
    members["vocab_size"] = .integer(vocabulary)
    return try WhisperConfig(.object(members), generation: generation)
  }

  /// The special tokens of a published tokenizer; English-only ones have tokens of languages too, which
  /// no training text held.
  private func tokenizer(start: Int, noTimestamps: Int) throws -> Tokenizer {
    let special = [
      ("<|startoftranscript|>", start), ("<|en|>", start + 1), ("<|de|>", start + 3),
      ("<|translate|>", noTimestamps - 5), ("<|transcribe|>", noTimestamps - 4),
      ("<|startofprev|>", noTimestamps - 2), ("<|notimestamps|>", noTimestamps),
    ]
    let added = special.map { name, id -> JSON in
      ["id": .integer(id), "content": .string(name), "special": true]
    }
    return try Tokenizer(
      [
        "added_tokens": .array(added), "pre_tokenizer": ["type": "WhitespaceSplit"],
        "model": ["type": "WordLevel", "vocab": ["w": 0], "unk_token": "w"],
      ], name: "tokenizer")
  }

  private func multilingual() throws -> Tokenizer {
    try tokenizer(start: 50_258, noTimestamps: 50_363)
  }

  private func englishOnly() throws -> Tokenizer {
    try tokenizer(start: 50_257, noTimestamps: 50_362)
  }

  @Test func severalLanguagesAreNamed() throws {
    let (config, tokenizer) = (try config(51_865), try multilingual())
    func tokens(_ template: PromptTemplate) throws -> [Int] {
      try template.tokens("", for: config, tokenizer)
    }
    #expect(try tokens(PromptTemplate()) == [50_258, 50_259, 50_359, 50_363])
    #expect(try tokens(PromptTemplate(language: "de")) == [50_258, 50_261, 50_359, 50_363])
    #expect(
      try tokens(PromptTemplate(language: "de", translates: true))
        == [50_258, 50_261, 50_358, 50_363])
    #expect(PromptTemplate().spokenLanguage(of: config) == "en")
    #expect(throws: TokenizerError.self) { try tokens(PromptTemplate(language: "german")) }
  }

  @Test func englishOnlyIsNotTold() throws {
    let named = try [config(51_864), config(51_865, ["is_multilingual": false])]
    for config in named {
      #expect(!config.isMultilingual && PromptTemplate().spokenLanguage(of: config) == nil)
      #expect(
        try PromptTemplate().tokens("", for: config, englishOnly()) == [50_257, 50_362])
      for template in [PromptTemplate(language: "en"), PromptTemplate(translates: true)] {
        let error = #expect(throws: TokenizerError.self) {
          try template.tokens("", for: config, englishOnly())
        }
        #expect(error?.description.contains("English-only") == true, "\(String(describing: error))")
      }
    }
    #expect(try config(51_865, ["is_multilingual": true]).isMultilingual)
  }

  /// What an architecture's prompt has no place for is not left out without a word.
  @Test func whatIsNotWhispersIsRefused() throws {
    for template in [PromptTemplate(language: "en"), PromptTemplate(translates: true)] {
      #expect(throws: TokenizerError.self) { try template.check(smallConfig()) }
    }
    #expect(throws: TokenizerError.self) { try PromptTemplate(isChat: true).check(config(51_865)) }
    try PromptTemplate(isChat: true).check(smallConfig())
  }

  /// A folder says it in either of its files.
  @Test func foldersSayWhichTheyAre() throws {
    let scratch = FileManager.default.temporaryDirectory
      .appendingPathComponent("prompt-tests-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: scratch) }
    try FileManager.default.copyItem(atPath: stored("whisper"), toPath: scratch.path)
    func isMultilingual() throws -> Bool? {
      (try openConfig(folder: scratch.path) as? WhisperConfig)?.isMultilingual
    }
    #expect(try isMultilingual() == true)
    let file = scratch.appendingPathComponent("generation_config.json")
    try Data("{\"is_multilingual\": false}".utf8).write(to: file)
    #expect(try isMultilingual() == false)
  }
}
