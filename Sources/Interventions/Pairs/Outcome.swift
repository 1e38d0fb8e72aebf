// What is read from the logits of one pass: the logit difference, probabilities, and the
// log-probability of each whole answer, teacher-forced.

import Speech
import Tensor

/// What a run says of the two answers.
public struct Outcome: Codable, Hashable, Sendable {
  /// log p(answer) - log p(foil) at the first token that differs, in nats.
  public let logitDifference: Double
  /// p(answer) and p(foil) there.
  public let probability: Double
  public let foilProbability: Double
  /// The mean log-probability of the answer's tokens minus the foil's, teacher-forced, in nats a
  /// token; nil where the answers are longer than a token and were not read whole.
  public let sequence: Double?
  /// D_KL(reference || this run) over the next token there, in nats; nil without a reference.
  public let divergence: Double?

  public init(
    logitDifference: Double, probability: Double, foilProbability: Double, sequence: Double?,
    divergence: Double?
  ) {
    (self.logitDifference, self.probability) = (logitDifference, probability)
    (self.foilProbability, self.sequence) = (foilProbability, sequence)
    self.divergence = divergence
  }

  /// The value of a metric; nil where it was not read.
  public subscript(metric: Metric) -> Double? {
    switch metric {
    case .logitDifference: logitDifference
    case .probability: probability
    case .divergence: divergence
    case .sequence: sequence
    }
  }
}

/// What a patch is scored by (Zhang and Nanda, 2024).
public enum Metric: String, Codable, Sendable, CaseIterable {
  case logitDifference = "logit-difference"
  case probability
  case divergence = "kl"
  case sequence

  /// The share of the way from the base run to the source run that a patch has gone, never clipped:
  /// sufficiency where the base is corrupt, necessity where it is clean (`paper/definitions.md`, D20).
  /// Nil where the metric was not read or the runs do not differ.
  public func recovery(of patched: Outcome, from base: Outcome, to source: Outcome) -> Double? {
    guard let p = patched[self], let b = base[self], let s = source[self], s != b else {
      return nil
    }
    return (p - b) / (s - b)
  }
}

extension Question {
  /// What the logits that were read say.
  ///
  /// - Parameters:
  ///   - logits: [reads, vocabulary], from row `first` on
  ///   - reference: the logits of the run to which the divergence is taken, [reads, vocabulary]
  public func outcome(_ logits: Tensor, from first: Int = 0, reference: Tensor? = nil) -> Outcome {
    let decisive = answers.shared.count
    let here = LogProbabilities(logits, row: first + decisive)
    var divergence: Double?
    if let reference {
      let there = LogProbabilities(reference, row: decisive)
      divergence = (0..<logits.width).reduce(0.0) { sum, token in
        let p = there[token]
        return sum + Elementary.exp(p) * (p - here[token])
      }
    }
    return Outcome(
      logitDifference: logitDifference(logits, row: first),
      probability: Elementary.exp(here[answer]), foilProbability: Elementary.exp(here[foil]),
      sequence: sequence(logits, first), divergence: divergence)
  }

  private func sequence(_ logits: Tensor, _ first: Int) -> Double? {
    guard readsWholeAnswers else { return nil }
    let shared = answers.shared.indices.map {
      LogProbabilities(logits, row: first + $0)[answers.shared[$0]]
    }
    let decisive = first + answers.shared.count
    var start = decisive + 1
    func mean(_ tokens: [Int]) -> Double {
      let rows = [decisive] + (start..<(start + tokens.count - 1))
      start += tokens.count - 1
      let terms = shared + zip(rows, tokens).map { LogProbabilities(logits, row: $0)[$1] }
      return terms.reduce(0, +) / Double(terms.count)
    }
    return mean(answers.answer) - mean(answers.foil)
  }
}

/// log softmax of one row of logits, in Double.
struct LogProbabilities {
  private let logits: Tensor
  private let row: Int
  private let normaliser: Double

  init(_ logits: Tensor, row: Int) {
    self.logits = logits
    self.row = row
    let width = logits.width
    normaliser = logits.withNumbers { numbers in
      let line = numbers[(row * width)..<((row + 1) * width)]
      let top = Double(line.max()!)
      let sum = line.reduce(0.0) { $0 + Elementary.exp(Double($1) - top) }
      return top + Elementary.log(sum)
    }
  }

  subscript(token: Int) -> Double { Double(logits[row, token]) - normaliser }
}
