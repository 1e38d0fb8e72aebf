// What is done to a model that hears speech in noise: which activations are changed, to what, and how strongly
// (`paper/definitions.md`, D140).

/// By what an intervention's neurons or directions are chosen.
public enum NoiseChoice: String, Codable, Sendable, CaseIterable {
  /// What a causal map names: neurons by what they mend, directions that carry what is said.
  case causal = "TAP"
  /// What differs most from the reference, recording by recording.
  case sensitive = "SPIRIT"
  /// Drawn, as many as the causal ones and as many in each layer; directions as many and moves as long.
  case drawn = "drawn"
}

/// What takes the place of an activation.
public enum NoiseDonor: String, Codable, Sendable, CaseIterable {
  /// The run of the denoised waveform.
  case denoised
  /// The mean over clean speech of the discovery split.
  case mean
  /// The run of the recording without noise, which nobody has: an upper bound.
  case oracle
}

/// What is done to a neuron.
public enum NeuronChange: Hashable, Codable, Sendable {
  /// It is set to zero; a constant is added; or a donor's value is put in its place.
  case prune
  case bias
  case patch(NoiseDonor)

  public static let all: [NeuronChange] = [.prune, .bias] + NoiseDonor.allCases.map { .patch($0) }

  var name: String {
    switch self {
    case .prune: "prune"
    case .bias: "bias"
    case .patch(let donor): "patch \(donor.rawValue)"
    }
  }
}

/// One intervention.
public enum NoiseArm: Hashable, Codable, Sendable {
  /// Nothing; and the denoised waveform.
  case nothing
  case denoiser
  /// Neurons of the encoder's MLPs.
  case neurons(NoiseChoice, NeuronChange)
  /// Directions of the connector's output, taken from a donor at every position of the sound.
  case part(NoiseChoice, NoiseDonor)
  /// Directions in which noise moves the connector's output, shrunk towards the mean of clean speech.
  case shrink(NoiseChoice)
  /// In those directions the recording's mean is moved towards that of clean speech, every position as far.
  case recentre(NoiseChoice)
  /// All of the connector's output.
  case whole(NoiseDonor)

  /// All of them, as figures list them: what anybody could do, and behind it what needs the recording without
  /// noise.
  public static let all: [NoiseArm] = {
    let arms: [NoiseArm] =
      [.nothing, .denoiser]
      + NeuronChange.all.flatMap { change in
        [NoiseChoice.causal, .sensitive, .drawn].map { .neurons($0, change) }
      }
      + [NoiseDonor.denoised, .oracle].flatMap { donor in
        [NoiseChoice.causal, .drawn].map { .part($0, donor) }
      }
      + [.shrink(.causal), .shrink(.drawn), .recentre(.causal), .recentre(.drawn)]
      + NoiseDonor.allCases.map { .whole($0) }
    return arms.filter { !$0.isOracle } + arms.filter(\.isOracle)
  }()

  /// By what its neurons or directions are chosen; nil where it has none.
  public var choice: NoiseChoice? {
    switch self {
    case .neurons(let choice, _), .part(let choice, _), .shrink(let choice), .recentre(let choice):
      choice
    case .nothing, .denoiser, .whole: nil
    }
  }

  /// The same with neurons or directions that are chosen otherwise.
  private func by(_ choice: NoiseChoice) -> NoiseArm {
    switch self {
    case .neurons(_, let change): .neurons(choice, change)
    case .part(_, let donor): .part(choice, donor)
    case .shrink: .shrink(choice)
    case .recentre: .recentre(choice)
    case .nothing, .denoiser, .whole: self
    }
  }

  /// The arm that chooses the strength of a drawn one; nil of others.
  public var matched: NoiseArm? { choice == .drawn ? by(.causal) : nil }

  /// The drawn arm that stands beside this one.
  public var control: NoiseArm { by(.drawn) }

  /// Whether it needs the recording without noise.
  public var isOracle: Bool {
    switch self {
    case .neurons(_, .patch(.oracle)), .part(_, .oracle), .whole(.oracle): true
    default: false
    }
  }

  public var name: String {
    switch self {
    case .nothing: "nothing"
    case .denoiser: "denoised waveform"
    case .neurons(let choice, let change): "\(choice.rawValue): neurons, \(change.name)"
    case .part(let choice, let donor): "\(choice.rawValue): part, \(donor.rawValue)"
    case .shrink(let choice): "\(choice.rawValue): shrink noise"
    case .recentre(let choice): "\(choice.rawValue): recentre"
    case .whole(let donor): "whole connector, \(donor.rawValue)"
    }
  }

  /// The strengths that are tried, the weakest first; a drawn arm has that of the one it is matched to.
  public func strengths(_ rules: NoiseRules) -> [NoiseStrength] {
    switch self {
    case .nothing, .whole: [NoiseStrength(1)]
    case .denoiser: rules.suppressions.map { NoiseStrength(Double($0)) }
    case .neurons: rules.percents.map { NoiseStrength($0) }
    case .part, .shrink, .recentre:
      rules.sizes.flatMap { size in
        rules.shares.map { NoiseStrength(Double(size), by: $0) }
      }
    }
  }
}

/// How strongly an arm acts.
public struct NoiseStrength: Hashable, Codable, Sendable, CustomStringConvertible {
  /// Decibels of the denoiser, percents of the neurons, or directions.
  public let amount: Double
  /// The share by which directions are shrunk.
  public let share: Double

  public init(_ amount: Double, by share: Double = 1) {
    (self.amount, self.share) = (amount, share)
  }

  public var description: String { share == 1 ? "\(amount)" : "\(amount) by \(share)" }
}
