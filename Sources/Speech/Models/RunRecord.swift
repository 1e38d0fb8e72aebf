// What the states of runs have in common, beside their streams.

import Tensor

/// How many runs a state stands for, what they remember, and what is known of runs like them.
struct RunRecord: Sendable {
  private(set) var copies = 1
  fileprivate(set) var memory = RunMemory()
  let remembers: Bool
  private(set) var known = RunMemory()
  /// Keys and values of the positions before the rows.
  var prefix: KeyValueCache?

  init(remembering: Bool) { remembers = remembering }

  func stacked(_ copies: Int, knowing memory: RunMemory) -> RunRecord {
    precondition(self.copies == 1)
    var record = self
    (record.copies, record.known, record.memory) = (copies, memory, RunMemory())
    return record
  }

  /// Remembers what a stage that another one waits for has given.
  mutating func keep(_ site: Site, _ x: Tensor) {
    if remembers { memory.outputs[site] = x.detached }
  }

  /// What a causal layer gives, called with a tap behind which its keys and values are kept.
  ///
  /// - Parameter keys: the activation that the layer's keys are
  mutating func layer(
    _ stage: Site.Stage, _ index: Int, keys: Site.Activation, tap: Tap?,
    _ body: (KeyValueCache?, Tap?) -> Tensor
  ) -> Tensor {
    guard remembers else { return body(prefix, tap) }
    var seen: [(Site, Tensor)] = []
    let own: Set = [Site(stage, index, keys), Site(stage, index, .v)]
    let x = body(prefix, .keeping(own, behind: tap) { seen.append(($0, $1)) })
    for (site, x) in seen { memory.keep(site, x, keys: keys) }
    return x
  }
}

/// A state with such a record.
protocol RecordedRun: RunState {
  var record: RunRecord { get set }
}

extension RecordedRun {
  var copies: Int { record.copies }
  var memory: RunMemory { record.memory }

  mutating func forget() { record.memory = RunMemory() }

  /// The state without what was computed, which knows where positions lie.
  var laidOut: Self {
    var state = self
    state.forget()
    state.streams = []
    return state
  }
}
