// What the parts of a site are found on and tried on: exchanges of pairs in the changed phone's moment,
// and the activations of whole recordings (`paper/definitions.md`, D144).

import Corpus
import Speech
import Tensor

/// Two lists of one kind: of the discovery split, by which something is found, and of the validation split,
/// on which it is tried.
public struct FitAndHeld<Value: Sendable>: Sendable {
  public let fit: Value
  public let held: Value

  public init(fit: Value, held: Value) { (self.fit, self.held) = (fit, held) }

  /// The same of something else that is made of each.
  public func map<T: Sendable>(_ change: (Value) throws -> T) rethrows -> FitAndHeld<T> {
    FitAndHeld<T>(fit: try change(fit), held: try change(held))
  }
}

/// The material of one site of one model.
public struct PartMaterial: Sendable {
  public let site: Site
  /// By which parts are found: both directions of the fitting split's pairs.
  public let study: SubspaceStudy
  public let pairs: FitAndHeld<HeldPairs>
  public let heard: FitAndHeld<SiteSamples>

  /// The whole site on the held-out pairs, in both directions.
  ///
  /// - Parameter draws: bootstrap samples
  public func whole(draws: Int, _ random: Random) throws -> (
    sufficiency: Estimate, necessity: Estimate
  ) {
    func estimate(_ pairs: [Exchange], _ name: String) throws -> Estimate {
      let all: Effects = try pairs.effects(of: { $0.difference })
      return all.estimate(draws: draws, random.split(name))
    }
    return (
      try estimate(pairs.held.sufficiency, "sufficiency"),
      try estimate(pairs.held.necessity, "necessity")
    )
  }
}

extension SpeechModel {
  /// The material of several sites, of the same runs. A pair enters by D17 and where every site has a
  /// position in its moment.
  ///
  /// - Parameters:
  ///   - recordings: whose positions are all heard, under the prompt "transcribe:"
  ///   - moment: milliseconds from the onset of the changed phone on
  ///   - epochs: of trained subspaces
  /// - Throws: where no pair of a split enters, or a recording is unusable.
  public func materials(
    at sites: [Site], pairs: FitAndHeld<[MinimalPair]>, recordings: FitAndHeld<[Utterance]>,
    minimumGap: Double, moment: Double, epochs: Int, root: String
  ) throws -> [PartMaterial] {
    let filter = PairFilter(minimumGap: minimumGap)
    let exchanged = try pairs.map { pairs -> [[ExchangedPair]] in
      let all = try mapInParallel(pairs.count) { i -> [ExchangedPair]? in
        let found = try exchanges(pairs[i], .lexical, at: sites, moment: moment, root: root)
          .compactMap { $0 }
        guard found.count == sites.count, let one = found.first else { return nil }
        return filter.reason(clean: one.clean, corrupt: one.corrupt) == nil ? found : nil
      }.compactMap { $0 }
      guard !all.isEmpty else {
        throw CellError(
          "\(folder): none of \(pairs.count) pairs enters, so that no part can be tried; train it again "
            + "(make models)")
      }
      return all
    }
    let heard = try recordings.map {
      try samples(of: $0, prompt: "transcribe:", at: sites, root: root)
    }
    return try sites.indices.map { s in
      let own = exchanged.map { all in
        HeldPairs(
          sufficiency: all.map { $0[s].sufficiency }, necessity: all.map { $0[s].necessity })
      }
      let fit = zip(own.fit.sufficiency, own.fit.necessity).flatMap { [$0, $1] }
      var study = try SubspaceStudy(fit: fit)
      study.search.epochs = epochs
      return PartMaterial(
        site: sites[s], study: study, pairs: own, heard: heard.map { $0[s] })
    }
  }
}
