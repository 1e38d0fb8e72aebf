// Acoustic purity of many pairs, and its form in a manifest.

import Corpus
import Interventions
import JSON
import Tensor

/// The sound of two members and where they may differ, in samples.
struct PurityInput: Sendable {
  let clean: [Int16]
  let corrupt: [Int16]
  /// Nil where the factor changes everything.
  let spans: [Range<Int>]?
  let ends: (clean: [Int], corrupt: [Int])
}

func purities(_ inputs: [PurityInput]) throws -> [Purity] {
  try mapInParallel(inputs.count) { i in
    let input = inputs[i]
    func milliseconds(_ samples: Int) -> Double { Double(samples) / 16 }
    return Purity(
      clean: input.clean.map { Float($0) / 32768 },
      corrupt: input.corrupt.map { Float($0) / 32768 },
      spans: input.spans?.map { milliseconds($0.lowerBound)..<milliseconds($0.upperBound) },
      boundaries: (input.ends.clean.map(milliseconds), input.ends.corrupt.map(milliseconds)))
  }
}

extension Purity {
  /// Hundredths of a dB.
  var json: JSON {
    func rounded(_ value: Double) -> JSON { .number((100 * value).rounded() / 100) }
    return ["inside": rounded(inside), "outside": outside.map(rounded) ?? .null]
  }
}
