// Free speech: its words, its sentences, what is asked about them, and who says them.

import Foundation
import JSON
import Testing

@testable import reproduce

@Suite struct FreeSpeechTests {
  private let lists = FreePlan.rows()

  private func sentences(heldOut: Bool) throws -> [FreeSentence] {
    try lists.flatMap(\.rows).map { try #require(FreeSentence(text: $0.text)) }
      .filter { $0.heldOut.isEmpty != heldOut }
  }

  @Test func wordsAreManyAndNewAndOfOneClass() {
    let words = FreeClass.allCases.flatMap(\.words)
    #expect(Set(words).count == words.count)
    #expect(words.filter { !FreeWords.isHeldOut($0) }.count >= 300)
    // Neither known already, nor what a frame is made of.
    let fixed = FreeFrame.allCases.flatMap(\.pattern).filter { FreeClass(rawValue: $0) == nil }
    for word in words {
      #expect(Lexicon.words[word] == nil && !fixed.contains(word), "\(word)")
      #expect(word.allSatisfy { $0.isLowercase && $0.isASCII }, "\(word)")
    }
    for kind in FreeClass.allCases where kind.words.count > 20 {
      let share = Double(kind.words.filter(FreeWords.isHeldOut).count) / Double(kind.words.count)
      #expect((0.05...0.25).contains(share), "\(kind)")
    }
  }

  @Test func heldOutWordsAreHeardInTestsOnly() throws {
    let training = try sentences(heldOut: false)
    let test = try sentences(heldOut: true)
    #expect(training.count == 6 * 400 && test.count == 6 * 40)
    let said = Set(training.flatMap(\.words))
    for word in FreeClass.allCases.flatMap(\.words) {
      #expect(said.contains(word) == !FreeWords.isHeldOut(word), "\(word)")
    }
    for sentence in test {
      #expect(!said.isSuperset(of: sentence.words), "\(sentence.text)")
    }
  }

  @Test func everySentenceFitsOneFrameAndIsShort() throws {
    #expect(FreeFrame.allCases.count >= 10)
    for frame in FreeFrame.allCases {
      let slots = frame.slots.compactMap { $0 }
      #expect(Set(slots).count == slots.count, "\(frame)")
      var draws = Draws("test/\(frame)")
      let sentence = FreeSentence(frame, draws: &draws)
      #expect((4...9).contains(sentence.words.count))
      #expect(FreeSentence(text: sentence.text) == sentence)
      #expect(FreeSentence(text: sentence.text + " again") == nil)
      for place in sentence.words.indices {
        var words = sentence.words
        words[place] = "again"
        #expect(FreeSentence(text: words.joined(separator: " ")) == nil, "\(words)")
      }
      #expect(Sentence(text: sentence.text) == nil)
    }
  }

  @Test func questionsHaveTheirAnswers() throws {
    func asked(_ text: String) throws -> [String: String] {
      let questions = try #require(FreeSentence(text: text)).questions
      #expect(questions[0].kind == .transcription)
      return Dictionary(uniqueKeysWithValues: questions.map { ($0.prompt, $0.answer) })
    }
    #expect(
      try asked("anna bought eleven chairs in spain") == [
        "transcribe:": "anna bought eleven chairs in spain", "who:": "anna",
        "what did anna do:": "bought", "what anna bought:": "chairs",
        "number of chairs:": "eleven", "where:": "spain",
      ])
    #expect(
      try asked("the doctor lifted the tiny sofa on friday") == [
        "transcribe:": "the doctor lifted the tiny sofa on friday", "who:": "doctor",
        "what did the doctor do:": "lifted", "what the doctor lifted:": "sofa",
        "what is the sofa like:": "tiny", "when:": "friday",
      ])
    #expect(
      try asked("the rabbit sneezed in the kitchen") == [
        "transcribe:": "the rabbit sneezed in the kitchen", "who:": "rabbit",
        "what did the rabbit do:": "sneezed", "where:": "kitchen",
      ])
    for list in lists {
      for row in list.rows {
        let sentence = try #require(FreeSentence(text: row.text))
        for question in sentence.questions.dropFirst() {
          #expect(sentence.words.contains(question.answer), "\(question)")
        }
      }
    }
  }

  @Test func wordingsAreNaturalAndTheLastTwoAreNeverTrained() throws {
    let sentence = try #require(FreeSentence(text: "anna bought eleven chairs in spain"))
    let what = try #require(sentence.questions.first { $0.kind == .what })
    #expect(Wordings(what).all[0] == "What did Anna buy? One word.")
    #expect(Wordings(what).unseen[0] == "Tell me what Anna bought, in one word.")
    let all = try sentences(heldOut: false) + sentences(heldOut: true)
    let texts = ["say the red pat again", "red pat and blue cap", "pat two and cap nine"]
    let old = texts.flatMap { Sentence(text: $0)!.questions }
    var trained: Set<String> = []
    var unseen: Set<String> = []
    for question in all.flatMap(\.questions) + old {
      let wordings = Wordings(question)
      #expect(wordings.all.count >= 6 && Set(wordings.all).count == wordings.all.count)
      trained.formUnion(wordings.trained)
      unseen.formUnion(wordings.unseen)
    }
    #expect(trained.isDisjoint(with: unseen), "\(trained.intersection(unseen))")
  }

  @Test func planIsTheSameTwiceAndVaries() {
    #expect(zip(lists, FreePlan.rows()).allSatisfy { $0.voice == $1.voice && $0.rows == $1.rows })
    for (voice, rows) in lists {
      #expect(rows.contains { $0.delivery.rate <= Manner.fast }, "\(voice)")
      #expect(rows.contains { $0.delivery.rate >= Manner.slow }, "\(voice)")
      #expect(Set(rows.map(\.text)).count > 390, "\(voice)")
    }
    #expect(Set(lists.map { $0.rows.map(\.text) }).count == lists.count)
  }

  @Test func manifestIsThePlan() throws {
    let parts = try FreeSpeech(try Repository()).readManifest()
    #expect(parts.map(\.voice) == lists.map(\.voice))
    for (part, list) in zip(parts, lists) {
      #expect(part.rows.map(\.text) == list.rows.map(\.text))
      #expect(part.rows.map(\.delivery) == list.rows.map(\.delivery))
      #expect(part.rows.map(\.mode) == list.rows.map(\.mode))
    }
  }

  @Test func readerTellsTestFromTrainingAndChecksTheSound() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("free-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let repository = Repository(root: folder)
    let cache = VoiceCache(name: "slt", folder: repository.url("build/free-speech"))
    let spoken: [[Int16]] = [[1, -2, 3], [4, 5]]
    try cache.write(spoken.map { (Spoken(samples: $0, ends: nil), []) })
    // "thomas" is held out.
    let texts = ["anna bought eleven chairs in spain", "thomas bought eleven chairs"]
    let rows = texts.map { Row(mode: "text", text: $0, delivery: Delivery(rate: 0.8)) }
    let voice: JSON = [
      "voice": "slt", "audioDigest": .string(try #require(cache.digest)),
      "utterances": .array(rows.map(\.json)),
    ]
    try repository.write(["voices": [voice]], manifest: "free-speech.json")
    let speech = FreeSpeech(repository)
    let (training, test) = (try speech.utterances(), try speech.testUtterances())
    #expect(training.map(\.samples) == [spoken[0]] && test.map(\.samples) == [spoken[1]])
    #expect(training.map(\.sentence.text) == [texts[0]] && test[0].sentence.heldOut == ["thomas"])
    #expect(training[0].manner == Manner(speaker: "slt", isAsking: false, rate: 0.8))
    #expect(training[0].voice == .slt)
    try cache.write([spoken[1], spoken[0]].map { (Spoken(samples: $0, ends: nil), []) })
    #expect(throws: CorpusError.self) { try speech.utterances() }
  }

  @Test func rowsOfFreeSpeechAreReadBackAndBadOnesAreErrors() throws {
    for row in lists.flatMap({ $0.rows.prefix(20) }) {
      #expect(try Row(row.json, name: "x") == row)
    }
    let text: JSON = "anna bought eleven chairs in spain"
    let bad: [JSON] = [
      ["anna bought eleven chairs in nowhere", "text", 1.0, 1.0, false, .null, 0, ""],
      [text, "text", 1.0, 1.0, true, .null, 0, ""],
      // Only a dictionary has the phones of these words.
      [text, "free", 1.0, 1.0, false, .null, 0, ""],
      [text, "even", 1.0, 1.0, false, .null, 0, ""],
    ]
    for json in bad { #expect(throws: JSONError.self) { try Row(json, name: "x") } }
  }

  @Test func fliteSaysTextTheSameTwiceAndAsLongAsAsked() throws {
    let flite = try Flite(.rms)
    let words = ["anna", "bought", "eleven", "chairs"]
    func say(_ rate: Double, _ pitch: Double) throws -> [Int16] {
      try flite.speak(.text(words: words, rate: rate, pitch: pitch)).samples
    }
    let plain = try say(1, 1)
    #expect(try say(1, 1) == plain)
    #expect(try say(1, 1.2) != plain)
    let ratio = Double(try say(1.25, 1).count) / Double(plain.count)
    #expect((1.15...1.35).contains(ratio))
  }
}
