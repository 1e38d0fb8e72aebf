// What a way of joining the halves reaches: whether sentences are written down exactly, how improbable
// the right transcript is, and which word of a pair is chosen.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor

/// How a model takes a right answer.
struct Told: Codable, Sendable {
  /// Whether greedy decoding gives it.
  let isRight: Bool
  /// Minus its log probability.
  let nats: Double
  /// Its tokens, with the one that ends it.
  let tokens: Int
}

struct ProjectorScore {
  /// By set, in the order of the suite.
  var transcripts: [(set: String, told: [Told])] = []
  var choices: [(set: String, isRight: [Bool])] = []

  /// Rows as `paper/accuracies.tsv` has them.
  ///
  /// - Parameter other: of the same recordings, whose nats are subtracted
  func lines(_ name: String, beside other: ProjectorScore?) -> [String] {
    func row(_ measure: String, _ value: Estimate, _ count: (Int, Int)? = nil) -> String {
      let counts = count.map { "\($0.0)\t\($0.1)" } ?? "\t"
      return "\(name)\t\(measure)\t\(counts)\t\(value.value)\t\(value.low)\t\(value.high)"
    }
    func shares(_ measure: String, _ isRight: [Bool]) -> String {
      let right = isRight.count { $0 }
      return row(measure, clopperPearson(right, of: isRight.count), (right, isRight.count))
    }
    let random = Random(seed: 1).split("projectors")
    let texts = transcripts.flatMap { set, told -> [String] in
      let nats = clusterInterval(of: told, random.split(set)) {
        perToken($0.map { ($0.nats, $0.tokens) })
      }
      var rows = [
        shares("\(set) | transcription", told.map(\.isRight)), row("\(set) | nats a token", nats),
      ]
      if let other = other?.transcripts.first(where: { $0.set == set })?.told {
        let pairs = zip(told, other).map { ($0.nats - $1.nats, $0.tokens) }
        rows.append(
          row(
            "\(set) | nats a token above that alone",
            clusterInterval(of: pairs, random.split(set).split("paired"), perToken)))
      }
      return rows
    }
    return texts + choices.map { shares("\($0.set) | choice", $0.isRight) }
  }
}

private func perToken(_ told: [(nats: Double, tokens: Int)]) -> Double {
  told.reduce(0) { $0 + $1.nats } / Double(told.reduce(0) { $0 + $1.tokens })
}

extension ScoredSuite {
  /// One of how many recordings is transcribed, and one of how many pairs is chosen from.
  private static let every = [
    ("evaluation", recordings: 4, pairs: 8), ("never-heard", 2, 2), ("human", 8, 0),
  ]

  /// - Parameter silence: seconds of silence behind every recording
  func score(_ speech: SpeechModel, _ silence: Double, _ journal: ScoreJournal) throws
    -> ProjectorScore
  {
    let behind = Hearing.dither(seconds: silence)
    let hear = { @Sendable (utterance: Utterance) throws -> Waveform in
      Waveform(
        samples: try utterance.waveform(root: root, recordings: recordings).samples + behind)
    }
    var score = ProjectorScore()
    for (set, recordings, pairs) in Self.every {
      guard let suite = sets.first(where: { $0.name == set })?.suite else { continue }
      let some = stride(from: 0, to: suite.utterances.count, by: recordings).map {
        suite.utterances[$0]
      }
      score.transcripts.append(
        (
          set,
          try journal("\(set), transcripts", some, key: \.id) { utterance in
            let question = Question(
              kind: .transcription, prompt: "transcribe:", answer: utterance.text)
            return try speech.told(Asking.trained(question), hear(utterance))
          }
        ))
      guard pairs > 0 else { continue }
      let chosen = try choices(speech, set, suite, every: pairs, hear, journal)
      score.choices.append((set, chosen.flatMap(\.chosen)))
    }
    return score
  }
}

extension SpeechModel {
  /// How the model takes the answer to a question about a recording.
  func told(_ question: Question, _ wave: Waveform) throws -> Told {
    let answer = try textTokens(question.answer)
    let prompt = try PromptTemplate().tokens(question.prompt, for: config, tokenizer)
    let logits = try answerLogits([answer], after: [prompt], clip(wave))
    guard let end = tokenizer.id(of: "<|im_end|>") else {
      throw CheckpointError("\(folder): has no <|im_end|>, which ends the turns of its training")
    }
    let loss = crossEntropy(
      logits, answer + [end], weights: [Float](repeating: 1, count: answer.count + 1)
    ).loss
    return Told(
      isRight: follows(answer, logits, from: 0), nats: Double(loss[0]), tokens: answer.count + 1)
  }
}
