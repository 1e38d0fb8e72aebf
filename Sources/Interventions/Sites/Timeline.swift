// Where the positions of a run's sites lie in time.

import Speech

/// Where the positions of each site lie in time, by the spans that the model gives them.
public struct Timeline: Sendable {
  private let run: ModelRun
  /// Positions of the text, the audio tokens among them where the sound is spliced into a prompt.
  public let tokens: Int

  init(_ run: ModelRun, tokens: Int) {
    self.run = run
    self.tokens = tokens
  }

  /// The stretch of sound that each position of a site stands for, nil where it is text; empty where
  /// the model has no such site.
  public func spans(of site: Site) -> [TimeSpan?] { run.place(of: site)?.spans ?? [] }

  public func count(at site: Site) -> Int { run.place(of: site)?.rows.count ?? 0 }

  /// The positions of a site inside a window; empty where it does not reach it.
  public func positions(in window: Window, at site: Site) -> [Int] {
    window.positions(in: spans(of: site))
  }

  /// For each of some positions of another run's site the one here whose centre is nearest to its
  /// own, `shift` milliseconds later, within the sound; of two as near the later one. Text before the
  /// sound is counted from the start, text behind it from the end, where the answer is read.
  func positions(like positions: [Int], of other: Timeline, shift: Double, at site: Site) -> [Int] {
    let (here, there) = (spans(of: site), other.spans(of: site))
    let sounding = here.indices.filter { here[$0] != nil }
    let (first, behind) = (sounding.first ?? 0, (sounding.last ?? -1) + 1)
    let start = there.firstIndex { $0 != nil } ?? 0
    return positions.map { position in
      guard let span = there[position], !sounding.isEmpty else {
        if position < start { return min(position, max(first - 1, 0)) }
        return min(max(here.count - (there.count - position), behind), here.count - 1)
      }
      let moment = span.centre + shift
      return sounding.min {
        (abs(here[$0]!.centre - moment), -$0) < (abs(here[$1]!.centre - moment), -$1)
      }!
    }
  }
}
