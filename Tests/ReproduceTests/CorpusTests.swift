import Corpus
import Foundation
import JSON
import Testing

@testable import reproduce

@Suite struct CorpusPlans {
  let pairs = EvaluationPlan.pairs()

  @Test func everyPairDiffersInOnePhoneAndIsTimedAlike() {
    #expect(pairs.count == 300)
    #expect(Set(pairs.map(\.id)).count == 300)
    for pair in pairs {
      guard case .timed(_, let a) = timedRequest(pair.clean.words, voice: pair.voice),
        case .timed(_, let b) = timedRequest(pair.corrupt.words, voice: pair.voice)
      else {
        Issue.record("not timed")
        return
      }
      #expect(a.map(\.steps) == b.map(\.steps))
      #expect(a.map(\.pitch) == b.map(\.pitch))
      #expect(a.indices.filter { a[$0].name != b[$0].name } == [pair.changedPhone])
      #expect(a.allSatisfy { $0.steps >= 3 })
    }
  }

  @Test func splitsShareNeitherTextNorSpeaker() {
    var owner: [String: String] = [:]
    for pair in pairs {
      for key in [pair.clean.text, pair.corrupt.text, "\(pair.voice)"] {
        #expect(owner[key, default: pair.voice.split] == pair.voice.split)
        owner[key] = pair.voice.split
      }
      let others = pair.clean.words.enumerated().filter { $0.offset != pair.slot.place }
      #expect(!others.contains { $0.element == pair.nouns.clean })
      #expect(!others.contains { $0.element == pair.nouns.corrupt })
    }
    #expect(Set(owner.values) == ["discovery", "validation", "test"])
  }

  @Test func trainingKeepsAwayFromEvaluation() {
    let evaluation = Set(pairs.flatMap { [$0.clean.text, $0.corrupt.text] })
    let lists = TrainingPlan.rows(excluding: evaluation)
    #expect(lists.reduce(0) { $0 + $1.rows.count } == 11_600)
    for row in lists.flatMap(\.rows) {
      #expect(!evaluation.contains(row.text))
      #expect(Sentence(text: row.text)?.isHeldOut == false)
    }
    let again = TrainingPlan.rows(excluding: evaluation)
    #expect(zip(lists, again).allSatisfy { $0.rows == $1.rows })
    let said = Set(lists.flatMap(\.rows).flatMap(\.words))
    #expect(said == Set(Lexicon.words.keys))
  }

  @Test func questionsHaveTheirAnswers() throws {
    func asked(_ text: String) throws -> [String: String] {
      let sentence = try #require(Sentence(text: text))
      return Dictionary(uniqueKeysWithValues: sentence.questions.map { ($0.prompt, $0.answer) })
    }
    #expect(
      try asked("bat two and map nine") == [
        "transcribe:": "bat two and map nine", "translate:": "murciélago dos y mapa nueve",
        "first thing:": "bat", "last thing:": "map", "first number:": "two",
        "last number:": "nine", "how many bat:": "two", "how many map:": "nine",
        "next number:": "zero",
      ])
    #expect(
      try asked("white goat and black son") == [
        "transcribe:": "white goat and black son", "translate:": "cabra blanca e hijo negro",
        "first thing:": "goat", "last thing:": "son", "first colour:": "white",
        "last colour:": "black", "what colour is the goat:": "white",
        "what colour is the son:": "black", "which is white:": "goat", "which is black:": "son",
      ])
    #expect(try asked("say the red van again")["translate:"] == "di otra vez la furgoneta roja")
    #expect(try asked("one two three")["next number:"] == "four")
    for question in try #require(Sentence(text: "red bat and blue map")).questions {
      #expect(Question.Kind(prompt: question.prompt) == question.kind)
    }
    for pair in pairs {
      let answers = pair.clean.questions.filter { $0.prompt == pair.prompt }.map(\.answer)
      #expect(answers == [pair.nouns.clean])
    }
    #expect(Sentence(text: "bat two and map") == nil)
  }

  @Test func homophonesSoundAlike() {
    for (a, b) in Lexicon.homophones {
      #expect(a != b && Lexicon.word(a).phones == Lexicon.word(b).phones)
      #expect(Lexicon.changedPhone(of: a) == nil && Lexicon.partner(of: b) == a)
    }
  }

  @Test func deliveryChangesWhatItSays() {
    func spoken(_ delivery: Delivery) -> [TimedPhone] {
      let words = ["red", "bat", "and", "blue", "map"]
      guard case .timed(_, let phones) = timedRequest(words, voice: .kal, delivery) else {
        return []
      }
      return phones
    }
    let plain = spoken(Delivery())
    let asked = spoken(Delivery(isAsking: true))
    #expect(plain.map(\.steps) == asked.map(\.steps))
    #expect(asked.last!.pitch > asked[1].pitch && plain.last!.pitch < plain[1].pitch)
    let slow = spoken(Delivery(rate: 1.25))
    #expect(zip(slow, plain).dropFirst().dropLast().allSatisfy { $0.steps > $1.steps })
    let stressed = spoken(Delivery(emphasis: 1))
    // "red" has three phones behind the pause; "bat" is longer, and its vowel higher.
    for (i, (a, b)) in zip(stressed, plain).enumerated().dropLast() {
      #expect((4...6).contains(i) ? a.steps > b.steps : a.steps == b.steps)
    }
    #expect(stressed[5].pitch > plain[5].pitch * 1.1)
  }

  @Test func drawsDependOnTheirNameOnly() {
    var a = Draws("a")
    var b = Draws("b")
    let first = a.next()
    #expect(first != b.next())
    var again = Draws("a")
    #expect(again.next() == first)
    let units = (0..<10000).map { _ in a.unit() }
    #expect(units.allSatisfy { (0..<1).contains($0) })
    #expect(abs(units.reduce(0, +) / 10000 - 0.5) < 0.01)
  }
}

@Suite struct CorpusFiles {
  @Test func cacheRoundTripsAndDamageIsAnError() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("corpus-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let cache = VoiceCache(name: "kal", folder: folder)
    #expect(throws: CorpusError.self) { try cache.read() }
    let spoken = [
      Spoken(samples: [1, -2, 3, 32767], ends: [1, 3, 4]), Spoken(samples: [5], ends: nil),
    ]
    try cache.write([(spoken[0], ["pau", "ae", "pau"]), (spoken[1], [])])
    #expect(try cache.read() == spoken)
    try Data(try Data(contentsOf: cache.samplesFile).dropLast(2)).write(to: cache.samplesFile)
    #expect(throws: CorpusError.self) { try cache.read() }
  }

  @Test func badRowsAreErrors() throws {
    let good: JSON = ["bat two and map nine", "jitter", 1.0, 1.0, true, 0, 0, ""]
    let row = try Row(good, name: "x")
    #expect(row.delivery == Delivery(isAsking: true, emphasis: 0) && row.json == good)
    let bad: [JSON] = [
      "text", ["bat"], ["bat two and map nine", "free", 90.0, 1.0, false, .null, 0, ""],
      ["hat two and map nine", "free", 1.0, 1.0, false, .null, 0, ""],
      ["bat two and map nine", "jitter", 1.0, 1.0, false, 5, 0, ""],
      ["bat two and map nine", "free", 1.0, 1.0, true, .null, 0, ""],
    ]
    for json in bad { #expect(throws: JSONError.self) { try Row(json, name: "x") } }
  }

  @Test func resamplingKeepsATone() {
    let tone = (0..<22050).map { Clip.rounded(10000 * sin(2 * .pi * 1000 * Double($0) / 22050)) }
    let out = Clip.resampled(tone)
    #expect(out.count == 16000)
    for n in 1000..<15000 {
      let want = 10000 * sin(2 * .pi * 1000 * Double(n) / 16000)
      #expect(abs(Double(out[n]) - want) < 30)
    }
  }

  @Test func fliteSpeaksPairsAlignedAndTheSameTwice() throws {
    let flite = try Flite(.slt)
    func say(_ text: String) throws -> Spoken {
      try flite.speak(timedRequest(text.split(separator: " ").map(String.init), voice: .slt))
    }
    let bat = try say("say the red bat again")
    let pat = try say("say the red pat again")
    #expect(bat.ends == pat.ends)
    #expect(bat.samples.count == pat.samples.count)
    #expect(bat.samples != pat.samples)
    #expect(try say("say the red bat again") == bat)
  }
}
