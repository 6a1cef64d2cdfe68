#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace pyralog::cluster {

/// A persistent map (a hash trie of 32-way nodes): a changed copy shares all but one path with its original, and copies
/// cost a reference. `KeyOf` gives `key(const Value&)` and `hash(key)`. Iteration is in the order of the hashes, so it
/// depends on the contents only (values whose 64-bit hashes are equal excepted). Immutable nodes: safe to read
/// anywhere.
template <class Value, class KeyOf>
class HashTrie {
 public:
  HashTrie() = default;
  std::size_t size() const noexcept { return size_; }

  /// The value with `key`, or null. Valid as long as this trie or a copy of it.
  template <class Key>
  const Value* find(const Key& key) const {
    return find_if(KeyOf::hash(key), [&](const Value& value) { return KeyOf::key(value) == key; });
  }

  /// The first value with `hash` that `matches`, or null.
  template <class Matches>
  const Value* find_if(std::uint64_t hash, Matches&& matches) const {
    const Node* node = root_.get();
    for (unsigned shift = 0; node != nullptr; shift += kBits) {
      if (shift >= kHashBits) {
        for (const Slot& slot : node->slots) {
          if (matches(slot.value)) return &slot.value;
        }
        return nullptr;
      }
      const std::uint32_t bit = bit_of(hash, shift);
      if ((node->bitmap & bit) == 0) return nullptr;
      const Slot& slot = node->slots[index_of(*node, bit)];
      if (slot.child == nullptr) return slot.hash == hash && matches(slot.value) ? &slot.value : nullptr;
      node = slot.child.get();
    }
    return nullptr;
  }

  /// A copy that has `value`, in place of the one with its key if there is one.
  HashTrie with(Value value) const {
    const auto& key = KeyOf::key(value);
    const std::size_t size = size_ + (find(key) == nullptr ? 1 : 0);
    const std::uint64_t hash = KeyOf::hash(key);
    return HashTrie(insert(root_.get(), Slot{nullptr, hash, std::move(value)}, 0), size);
  }

  /// A copy without the value with `key`.
  template <class Key>
  HashTrie without(const Key& key) const {
    if (find(key) == nullptr) return *this;
    return HashTrie(erase(*root_, KeyOf::hash(key), key, 0), size_ - 1);
  }

  template <class Visit>
  void for_each(Visit&& visit) const {
    if (root_ != nullptr) visit_node(*root_, visit);
  }

 private:
  static constexpr unsigned kBits = 5;
  static constexpr unsigned kHashBits = 64;

  struct Node;
  using NodePtr = std::shared_ptr<const Node>;
  struct Slot {
    NodePtr child;  // null: the slot holds a value
    std::uint64_t hash = 0;
    Value value{};
  };
  /// One slot per set bit, lowest first. Below the last hash bit: a list of values with equal hashes, bitmap unused.
  struct Node {
    std::uint32_t bitmap = 0;
    std::vector<Slot> slots;
  };

  HashTrie(NodePtr root, std::size_t size) : root_(std::move(root)), size_(size) {}

  static std::uint32_t bit_of(std::uint64_t hash, unsigned shift) { return 1u << (hash >> shift & 31u); }
  static std::size_t index_of(const Node& node, std::uint32_t bit) {
    return static_cast<std::size_t>(std::popcount(node.bitmap & (bit - 1)));
  }

  static NodePtr insert(const Node* node, Slot added, unsigned shift) {
    auto copy = node != nullptr ? std::make_shared<Node>(*node) : std::make_shared<Node>();
    if (shift >= kHashBits) {
      insert_equal_hash(*copy, std::move(added));
      return copy;
    }
    const std::uint32_t bit = bit_of(added.hash, shift);
    const std::size_t index = index_of(*copy, bit);
    if ((copy->bitmap & bit) == 0) {
      copy->bitmap |= bit;
      copy->slots.insert(copy->slots.begin() + static_cast<std::ptrdiff_t>(index), std::move(added));
      return copy;
    }
    Slot& slot = copy->slots[index];
    if (slot.child != nullptr) {
      slot.child = insert(slot.child.get(), std::move(added), shift + kBits);
    } else if (slot.hash == added.hash && KeyOf::key(slot.value) == KeyOf::key(added.value)) {
      slot = std::move(added);
    } else {
      NodePtr pushed = insert(nullptr, std::move(slot), shift + kBits);
      slot = Slot{insert(pushed.get(), std::move(added), shift + kBits), 0, {}};
    }
    return copy;
  }

  static void insert_equal_hash(Node& node, Slot added) {
    for (Slot& slot : node.slots) {
      if (KeyOf::key(slot.value) == KeyOf::key(added.value)) {
        slot = std::move(added);
        return;
      }
    }
    node.slots.push_back(std::move(added));
  }

  /// `node` without the value with `key`, which it has; null when nothing is left.
  template <class Key>
  static NodePtr erase(const Node& node, std::uint64_t hash, const Key& key, unsigned shift) {
    std::size_t index = 0;
    std::uint32_t bit = 0;
    if (shift >= kHashBits) {
      while (!(KeyOf::key(node.slots[index].value) == key)) ++index;
    } else {
      bit = bit_of(hash, shift);
      index = index_of(node, bit);
    }
    const Slot& slot = node.slots[index];
    NodePtr child = slot.child != nullptr ? erase(*slot.child, hash, key, shift + kBits) : nullptr;
    if (child == nullptr && node.slots.size() == 1) return nullptr;
    auto copy = std::make_shared<Node>(node);
    if (child != nullptr) {
      copy->slots[index].child = std::move(child);
    } else {
      copy->bitmap &= ~bit;
      copy->slots.erase(copy->slots.begin() + static_cast<std::ptrdiff_t>(index));
    }
    return copy;
  }

  template <class Visit>
  static void visit_node(const Node& node, Visit& visit) {
    for (const Slot& slot : node.slots) {
      if (slot.child != nullptr) {
        visit_node(*slot.child, visit);
      } else {
        visit(slot.value);
      }
    }
  }

  NodePtr root_;
  std::size_t size_ = 0;
};

}  // namespace pyralog::cluster
