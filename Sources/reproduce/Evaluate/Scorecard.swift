// What a checkpoint can do, counted: every question of the suite, the choice between the members of a
// pair, recorded digits, and the floors that a model reaches without hearing.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor

/// Successes of trials.
struct Count: Sendable, Equatable {
  var right = 0
  var trials = 0

  mutating func add(_ isRight: Bool) {
    right += isRight ? 1 : 0
    trials += 1
  }

  var share: Double { Double(right) / Double(max(trials, 1)) }
  /// The share with its exact 95% interval; nil without trials.
  var estimate: Estimate? { trials > 0 ? clopperPearson(right, of: trials) : nil }
}

/// The counts of one checkpoint, by name, in the order in which they came.
struct Scorecard: Sendable {
  let architecture: String
  private(set) var names: [String] = []
  private var counts: [String: Count] = [:]
  /// Word errors of transcriptions and BLEU of translations, by set and voice.
  private(set) var errors: [String: WordErrors] = [:]
  private(set) var translations: [String: Bleu] = [:]

  init(architecture: String) { self.architecture = architecture }

  subscript(name: String) -> Count { counts[name] ?? Count() }

  mutating func add(_ isRight: Bool, to name: String) {
    if counts[name] == nil { names.append(name) }
    counts[name, default: Count()].add(isRight)
  }

  /// Counts an answer under its kind of question, and its text where it is a whole sentence.
  mutating func add(_ answer: Answer, to group: String) {
    add(answer.isRight, to: "\(group) | \(answer.kind.rawValue)")
    switch answer.kind {
    case .transcription:
      errors[group, default: WordErrors()] =
        errors[group, default: WordErrors()] + WordErrors(of: answer.said, against: answer.expected)
    case .translation:
      translations[group, default: Bleu()].add(answer.said, reference: answer.expected)
    default: break
    }
  }

  /// Counts a transcript by its words, and whether all of them are right.
  mutating func add(_ said: String, against expected: String, to group: String) {
    let own = WordErrors(of: said, against: expected)
    add(own.rate == 0, to: "\(group) | transcription")
    errors[group, default: WordErrors()] = errors[group, default: WordErrors()] + own
  }

  /// Exact match over the three tasks, each counting as much: transcription, translation, and all
  /// short answers about the words.
  func tasks(_ group: String) -> Double {
    func count(_ kinds: [Question.Kind]) -> Count {
      kinds.reduce(into: Count()) {
        let own = self["\(group) | \($1.rawValue)"]
        $0.right += own.right
        $0.trials += own.trials
      }
    }
    let short = Question.Kind.allCases.filter {
      !$0.isAboutVoice && $0 != .transcription && $0 != .translation
    }
    return (count([.transcription]).share + count([.translation]).share + count(short).share) / 3
  }

  /// Lines of a table: name, right of trials, share with its interval.
  ///
  /// - Parameter brief: leaves out the rows of single voices that were heard in training
  func table(brief: Bool) -> String {
    func isOfOneVoice(_ name: String) -> Bool {
      Manner.speakers.contains { "\(name) |".contains("| \($0) |") }
    }
    let names = names.filter { !brief || !isOfOneVoice($0) }
    let width = (names.map(\.count).max() ?? 0) + 2
    let lines = names.map { name -> String in
      let count = self[name]
      let estimate = count.estimate!
      return name.padding(toLength: width, withPad: " ", startingAt: 0)
        + String(
          format: "%5d of %5d  %6.2f%%  [%6.2f, %6.2f]", count.right, count.trials,
          100 * estimate.value, 100 * estimate.low, 100 * estimate.high)
    }
    let rates = errors.keys.sorted().filter { !brief || !isOfOneVoice($0) }.map {
      String(format: "%@ | word error rate (lower-words) %.2f%%", $0, 100 * errors[$0]!.rate)
    }
    let scores = translations.keys.sorted().filter { !brief || !isOfOneVoice($0) }.map {
      String(format: "%@ | BLEU (%@) %.2f", $0, Bleu.signature, translations[$0]!.score)
    }
    return (lines + rates + scores).joined(separator: "\n")
  }
}

/// The sets of the suite that a checkpoint is scored on.
struct ScoredSuite: Sendable {
  let root: String
  /// Nil where the recordings are absent.
  let recordings: HumanRecordings?
  let sets: [(name: String, suite: PairSuite)]

  init(_ repository: Repository) throws {
    root = repository.root.path
    let recordings = try DigitManifest(repository).recordings(repository)
    self.recordings = recordings
    sets = try (["evaluation"] + ["homophone", "prosody", "never-heard", "human"])
      .filter { $0 != "human" || recordings != nil }
      .map {
        ($0, try PairSuite(manifest: repository.url("data-manifests/\($0).json").path))
      }
  }

  /// Everything that one checkpoint is asked.
  func score(_ speech: SpeechModel) throws -> Scorecard {
    var card = Scorecard(architecture: speech.config.architecture)
    for (set, suite) in sets {
      let heard = try mapInParallel(suite.utterances.count) { i in
        try answers(speech, suite.utterances[i])
      }
      for (utterance, answers) in zip(suite.utterances, heard) {
        for answer in answers {
          card.add(answer, to: "\(set) | all voices")
          card.add(answer, to: "\(set) | \(utterance.voice)")
          if set == "human", answer.kind == .transcription {
            digits(answer, utterance.voice, &card)
          }
        }
      }
      try choices(speech, set, suite, &card)
    }
    try floors(speech, &card)
    return card
  }

  private func answers(_ speech: SpeechModel, _ utterance: Utterance) throws -> [Answer] {
    let wave = try utterance.waveform(root: root, recordings: recordings)
    return try speech.answers(utterance.asked, hearing: .sound(wave))
  }

  /// Place by place, how many recorded digits are written down rightly.
  func digits(_ answer: Answer, _ voice: String, _ card: inout Scorecard) {
    let (said, expected) = (
      answer.said.split(separator: " "), answer.expected.split(separator: " ")
    )
    for (i, digit) in expected.enumerated() {
      let isRight = said.count == expected.count && said[i] == digit
      card.add(isRight, to: "human | all voices | digits")
      card.add(isRight, to: "human | \(voice) | digits")
    }
  }

  /// How often the right one of the two answers of a pair is the more probable, for either member.
  private func choices(
    _ speech: SpeechModel, _ set: String, _ suite: PairSuite, _ card: inout Scorecard
  ) throws {
    let pairs = suite.pairs.filter { $0.factor.changesText || $0.factor == .homophone }
    let chosen = try mapInParallel(pairs.count) { i in
      try preferences(speech, pairs[i]) { member in
        .sound(try member.waveform(root: root, recordings: recordings))
      }
    }
    for (pair, chosen) in zip(pairs, chosen) {
      for isRight in chosen {
        card.add(isRight, to: "\(set) | all voices | choice")
        card.add(isRight, to: "\(set) | \(pair.voice) | choice")
      }
    }
  }

  /// Whether the clean member's answer is preferred at the clean member, and the corrupt one's at the
  /// corrupt.
  private func preferences(
    _ speech: SpeechModel, _ pair: Corpus.MinimalPair, hearing: (Utterance) throws -> Hearing
  ) throws -> [Bool] {
    let (clean, corrupt) = (
      try speech.textTokens(pair.answers.clean)[0], try speech.textTokens(pair.answers.corrupt)[0]
    )
    return try [(pair.clean, clean, corrupt), (pair.corrupt, corrupt, clean)].map {
      member, right, wrong in
      let logits = try speech.nextLogits(to: pair.prompt, hearing: hearing(member))
      return logits[right] > logits[wrong]
    }
  }

  /// The questions of the first set with no sound, and with silence: once for each text.
  private func floors(_ speech: SpeechModel, _ card: inout Scorecard) throws {
    let (set, suite) = sets[0]
    let some = stride(from: 0, to: suite.utterances.count, by: 4).map { suite.utterances[$0] }
    for (name, hearing) in [
      ("no audio", Hearing.nothing), ("silence", .silence(seconds: 1.5)),
    ] {
      let heard = try mapInParallel(some.count) { i in
        try speech.answers(some[i].asked, hearing: hearing)
      }
      for answer in heard.flatMap({ $0 }) { card.add(answer, to: "\(set) with \(name)") }
      let pairs = stride(from: 0, to: suite.pairs.count, by: 4).map { suite.pairs[$0] }
      let chosen = try mapInParallel(pairs.count) { i in
        try preferences(speech, pairs[i]) { _ in hearing }
      }
      for isRight in chosen.flatMap({ $0 }) {
        card.add(isRight, to: "\(set) with \(name) | choice")
      }
    }
    // The best that can be done without hearing: one answer to a prompt, the most frequent one.
    var tally: [Question.Kind: [String: [String: Int]]] = [:]
    for question in some.flatMap(\.asked) {
      tally[question.kind, default: [:]][question.prompt, default: [:]][
        question.answer, default: 0] += 1
    }
    for kind in Question.Kind.allCases {
      for answers in (tally[kind] ?? [:]).sorted(by: { $0.key < $1.key }).map(\.value) {
        let (best, all) = (answers.values.max() ?? 0, answers.values.reduce(0, +))
        for i in 0..<all {
          card.add(i < best, to: "\(set), most frequent answer | \(kind.rawValue)")
        }
      }
    }
  }
}
