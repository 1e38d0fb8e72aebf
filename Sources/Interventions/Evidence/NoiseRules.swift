// What was fixed beforehand about robustness to noise: which strengths are tried, what one may cost, and
// what is claimed.

import Speech

/// The part "noise" of a preregistration.
public struct NoiseRules: Sendable {
  /// The word error rate on clean speech that an intervention may add.
  public let cost: Double
  /// Ratios of speech to noise in dB at which strengths are chosen and claims decided.
  public let ratios: [Double]
  /// The most that the denoiser takes away, in dB: what is tried, and what donors are made with.
  public let suppressions: [Int]
  public let donorSuppression: Int
  /// Percents of the encoder's MLP neurons.
  public let percents: [Double]
  /// What the bias intervention adds, as SPIRIT's code has it for Qwen2-Audio.
  public let bias: Double
  /// Directions of the connector's output that are taken from a donor, and noise directions that are
  /// shrunk; by what shares.
  public let sizes: [Int]
  public let shares: [Double]
  /// Directions of what is said, which shrinking leaves alone.
  public let lexical: Int
  /// Draws of neurons and of directions.
  public let draws: Int
  /// Clean utterances a split on which the cost is measured.
  public let utterances: Int
  /// Recordings in noise a split; all of them where the rules do not say.
  public let recordings: Int?
  /// How long the window of a changed phone is, in milliseconds; steps of conductance; and how far a probe's
  /// covariance is moved towards a multiple of the identity.
  public let moment: Double
  public let steps: Int
  public let shrinkage: Double
  private let part: RulesPart

  /// - Throws: an error that names the file and the entry that is missing or out of range.
  public init(_ path: String) throws {
    part = try RulesPart("noise", of: path)
    cost = try part.number("cost", upTo: 1)
    ratios = part["ratios"]?.elements?.compactMap(\.double) ?? []
    guard !ratios.isEmpty, ratios.allSatisfy({ (-60...60).contains($0) }) else {
      throw CheckpointError("\(path): \"noise.ratios\" must list ratios of -60 to 60 dB")
    }
    suppressions = try part.counts("suppressions")
    donorSuppression = try part.count("donorSuppression")
    percents = try part.numbers("percents", upTo: 100)
    bias = try part.number("bias", upTo: 10)
    sizes = try part.counts("sizes")
    shares = try part.numbers("shares", upTo: 1)
    lexical = try part.count("lexical")
    draws = try part.count("draws")
    utterances = try part.count("utterances")
    recordings = part["recordings"] == nil ? nil : try part.count("recordings")
    moment = try part.number("moment", upTo: 1000)
    steps = try part.count("steps")
    shrinkage = try part.number("shrinkage", upTo: 1)
  }

  /// What a claim says.
  public func statement(_ claim: String) throws -> String { try part.statement(claim) }
}
