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

  /// Whether the logits that it was read from are numbers.
  var isFinite: Bool {
    logitDifference.isFinite && probability.isFinite && foilProbability.isFinite
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
    outcome(logits, from: first, against: reference.map(nextToken))
  }

  /// What a run to which divergences are taken expects next; computed once for all that are taken to it.
  func nextToken(_ reference: Tensor) -> TokenDistribution {
    TokenDistribution(LogProbabilities(reference, row: answers.shared.count))
  }

  func outcome(_ logits: Tensor, from first: Int = 0, against reference: TokenDistribution?)
    -> Outcome
  {
    let here = LogProbabilities(logits, row: first + answers.shared.count)
    return Outcome(
      logitDifference: logitDifference(logits, row: first),
      probability: Elementary.exp(here[answer]), foilProbability: Elementary.exp(here[foil]),
      sequence: sequence(logits, first), divergence: reference?.divergence(of: here))
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
      let line = UnsafeBufferPointer(rebasing: numbers[(row * width)..<((row + 1) * width)])
      let top = Double(largest(line))
      var sum = 0.0
      forEachExponential(width, of: { Double(line[$0]) - top }, do: { sum += $1 })
      return top + Elementary.log(sum)
    }
  }

  subscript(token: Int) -> Double { Double(logits[row, token]) - normaliser }

  /// That of every token, in order.
  var all: [Double] {
    logits.withNumbers { numbers in
      numbers[(row * logits.width)..<((row + 1) * logits.width)].map { Double($0) - normaliser }
    }
  }
}

/// The probability of every next token and its logarithm.
struct TokenDistribution: Sendable {
  private let logs: [Double]
  private let probabilities: [Double]

  init(_ logs: LogProbabilities) {
    let all = logs.all
    var probabilities = [Double](repeating: 0, count: all.count)
    forEachExponential(all.count, of: { all[$0] }, do: { probabilities[$0] = $1 })
    (self.logs, self.probabilities) = (all, probabilities)
  }

  /// D_KL(this || other), in nats.
  func divergence(of other: LogProbabilities) -> Double {
    zip(zip(probabilities, logs), other.all).reduce(0.0) { $0 + $1.0.0 * ($1.0.1 - $1.1) }
  }
}

/// The largest of a row's logits.
func largest(_ line: UnsafeBufferPointer<Float>) -> Float {
  let bytes = UnsafeRawBufferPointer(line)
  var tops = SIMD8<Float>(repeating: -.infinity)
  for i in stride(from: 0, to: line.count / 8 * 8, by: 8) {
    let x = bytes.loadUnaligned(fromByteOffset: 4 * i, as: SIMD8<Float>.self)
    tops.replace(with: x, where: x .> tops)
  }
  return line[(line.count / 8 * 8)...].reduce(tops.max()) { max($0, $1) }
}

/// Calls `body` with every index and e^x of its number, in order.
@inline(__always)
private func forEachExponential(
  _ count: Int, of number: (Int) -> Double, do body: (Int, Double) -> Void
) {
  var first = 0
  while first + 8 <= count {
    var x = SIMD8<Double>(repeating: 0)
    for lane in 0..<8 { x[lane] = number(first + lane) }
    let powers = Elementary.exp(x)
    for lane in 0..<8 { body(first + lane, powers[lane]) }
    first += 8
  }
  for index in first..<count { body(index, Elementary.exp(number(index))) }
}
