// What the speech LM of two published halves can do: asked in natural language, in wordings that it was
// trained on and in such that it was not, of every kind of sound; and what its language model does with
// the true transcript in the place of the sound, which is the ceiling.

import ArgumentParser
import Corpus
import Foundation
import Interventions
import Speech
import Tensor

/// How the questions of the suite are put to a model that knows natural language.
enum Asking: String {
  /// The first of the wordings of training.
  case trained = ""
  /// The first of those that were held out.
  case unseen = ", instructions never in training"

  func callAsFunction(_ question: Question) -> Question {
    let wordings = Wordings(question)
    return Question(
      kind: question.kind, prompt: self == .trained ? wordings.trained[0] : wordings.unseen[0],
      answer: question.answer)
  }
}

/// What the speech LM of two published halves is asked about, by kind of sound or of question.
enum JoinedSet: String, CaseIterable, ExpressibleByArgument {
  case evaluation
  case neverHeard = "never-heard"
  case human
  case instructions
  case nothing = "no-audio"
  case silence
  case read
  case noise
  case free

  /// As the rows of the table call it.
  var title: String {
    switch self {
    case .evaluation, .neverHeard, .human: rawValue
    case .instructions: "evaluation\(Asking.unseen.rawValue)"
    case .nothing: "evaluation with no audio"
    case .silence: "evaluation with silence"
    case .read: "evaluation, read by the language model"
    case .noise: "in noise"
    case .free: "words never in training"
    }
  }
}

extension ScoredSuite {
  /// Of how many utterances one is asked everything, by set.
  private static let every = ["evaluation": 4, "never-heard": 2, "human": 4]

  /// What the model is asked of some sets.
  ///
  /// - Parameters:
  ///   - free: sentences with words never in training audio
  ///   - journal: what an interrupted evaluation has kept
  func score(
    joined speech: SpeechModel, sets asked: [JoinedSet], free: [FreeUtterance],
    _ journal: ScoreJournal
  ) throws -> Scorecard {
    var card = Scorecard(architecture: speech.config.architecture)
    for (set, suite) in sets {
      guard let every = Self.every[set], asked.contains(where: { $0.rawValue == set }) else {
        continue
      }
      let some = stride(from: 0, to: suite.utterances.count, by: every).map {
        suite.utterances[$0]
      }
      try ask(speech, some, set, Asking.trained, journal, &card)
      try choose(speech, set, suite, journal, &card)
    }
    let suite = sets[0].suite
    let few = stride(from: 0, to: suite.utterances.count, by: 12).map { suite.utterances[$0] }
    func hearing(_ set: JoinedSet, _ hearing: @escaping @Sendable (Utterance) -> Hearing) throws {
      guard asked.contains(set) else { return }
      try ask(speech, few, set.title, .trained, journal, &card, hearing: hearing)
    }
    if asked.contains(.instructions) {
      try ask(speech, few, JoinedSet.evaluation.title, .unseen, journal, &card)
    }
    try hearing(.nothing) { _ in .nothing }
    try hearing(.silence) { _ in .silence(seconds: 1.5) }
    try hearing(.read) { .read($0.text) }
    if asked.contains(.noise) {
      let noise = try PairSuite(manifest: "\(root)/data-manifests/noise.json").pairs
      let noisy = stride(from: 0, to: noise.count, by: 15).map { noise[$0].corrupt }
      try ask(speech, noisy, JoinedSet.noise.title, .trained, journal, &card)
    }
    if asked.contains(.free) { try ask(speech, free, journal, &card) }
    return card
  }

  /// Greedy answers, counted by voice; a text counts by its words, whatever their case and the marks
  /// between them, so that what reads the transcript is judged alike.
  private func ask(
    _ speech: SpeechModel, _ utterances: [Utterance], _ set: String, _ asking: Asking,
    _ journal: ScoreJournal, _ card: inout Scorecard,
    hearing: (@Sendable (Utterance) throws -> Hearing)? = nil
  ) throws {
    let name = set + asking.rawValue
    let heard = try journal(name, utterances, key: \.id) { utterance in
      let hearing =
        try hearing?(utterance)
        ?? .sound(utterance.waveform(root: root, recordings: recordings))
      return try speech.answers(utterance.asked.map { asking($0) }, hearing: hearing)
        .map(\.inWords)
    }
    for (utterance, answers) in zip(utterances, heard) {
      for answer in answers {
        card.add(answer, to: "\(name) | all voices")
        guard hearing == nil, asking == .trained else { continue }
        card.add(answer, to: "\(name) | \(utterance.voice)")
        if set == "human", answer.kind == .transcription { digits(answer, utterance.voice, &card) }
      }
    }
  }

  /// Free speech, every fourth sentence: what was said, short answers, and how many of the words that
  /// were never in training audio are written.
  private func ask(
    _ speech: SpeechModel, _ utterances: [FreeUtterance], _ journal: ScoreJournal,
    _ card: inout Scorecard
  ) throws {
    let set = JoinedSet.free.title
    let some = stride(from: 0, to: utterances.count, by: 4).map { utterances[$0] }
    let heard = try journal(set, some, key: \.id) { utterance in
      try speech.answers(
        utterance.sentence.questions.map { Asking.trained($0) },
        hearing: .sound(
          Waveform(samples: utterance.samples.map { Float($0) / 32768 })))
    }
    for (utterance, answers) in zip(some, heard) {
      for answer in answers { card.add(answer.inWords, to: "\(set) | all voices") }
      let said = Set(answers[0].said.split(separator: " ").map(String.init))
      for word in utterance.sentence.heldOut {
        card.add(said.contains(word), to: "\(set) | all voices | the words themselves")
      }
    }
  }

  private func choose(
    _ speech: SpeechModel, _ set: String, _ suite: PairSuite, _ journal: ScoreJournal,
    _ card: inout Scorecard
  ) throws {
    let all = try choices(
      speech, set, suite, { try $0.waveform(root: root, recordings: recordings) }, journal)
    for (pair, chosen) in all {
      for isRight in chosen {
        card.add(isRight, to: "\(set) | all voices | choice")
        card.add(isRight, to: "\(set) | \(pair.voice) | choice")
      }
    }
  }

  /// Which of the two words of a pair is the more probable one, for either member.
  ///
  /// - Parameter every: one of how many pairs is asked
  func choices(
    _ speech: SpeechModel, _ set: String, _ suite: PairSuite, every: Int = 1,
    _ hear: @escaping @Sendable (Utterance) throws -> Waveform, _ journal: ScoreJournal
  ) throws -> [(pair: Corpus.MinimalPair, chosen: [Bool])] {
    let all = suite.pairs.filter { $0.factor.changesText }
    let pairs = stride(from: 0, to: all.count, by: every).map { all[$0] }
    let chosen = try journal("\(set), choice", pairs, key: \.id) { pair -> [Bool] in
      let words = (pair.answers.clean, pair.answers.corrupt)
      guard let kind = Question.Kind(prompt: pair.prompt) else { return [] }
      let prompt = Asking.trained(Question(kind: kind, prompt: pair.prompt, answer: "")).prompt
      // Words that begin alike are told apart where they part.
      let (a, b) = (try speech.textTokens(words.0), try speech.textTokens(words.1))
      let common = zip(a, b).prefix { $0 == $1 }.count
      guard common < min(a.count, b.count) else { return [] }
      return try [pair.clean, pair.corrupt].enumerated().map { i, member in
        let logits = try speech.nextLogits(
          to: prompt, saying: Array(a.prefix(common)), hearing: .sound(hear(member)))
        return (logits[a[common]] > logits[b[common]]) == (i == 0)
      }
    }
    return Array(zip(pairs, chosen)).map { (pair: $0, chosen: $1) }
  }
}

extension Answer {
  /// The same, saying just what was expected where the words are the same.
  fileprivate var inWords: Answer {
    let isSame = WordErrors(of: said, against: expected).rate == 0
    return Answer(
      kind: kind, prompt: prompt, expected: expected, said: isSame ? expected : said)
  }
}
