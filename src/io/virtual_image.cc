#include "io/virtual_image.h"

#include <algorithm>
#include <cstring>

namespace pyralog::io {

SparseImage::Page& SparseImage::writable_page(std::size_t index) {
  std::shared_ptr<Page>& page = pages_[index];
  if (page == nullptr) {
    page = std::make_shared<Page>();
    page->fill(std::byte{0});
  } else if (page.use_count() > 1) {
    page = std::make_shared<Page>(*page);
  }
  return *page;
}

void SparseImage::resize(std::uint64_t size) {
  if (size < size_) {
    write_zeros(size, std::min(size_, align_up(size, kPageBytes)) - size);
  }
  size_ = size;
  pages_.resize(align_up(size, kPageBytes) / kPageBytes);
}

void SparseImage::write(std::uint64_t position, ByteView bytes) {
  if (bytes.empty()) return;
  if (position + bytes.size() > size_) resize(position + bytes.size());
  while (!bytes.empty()) {
    const std::size_t within = position % kPageBytes;
    const std::size_t step = std::min(bytes.size(), kPageBytes - within);
    std::memcpy(writable_page(position / kPageBytes).data() + within, bytes.data(), step);
    position += step;
    bytes = bytes.subspan(step);
  }
}

void SparseImage::write_zeros(std::uint64_t position, std::uint64_t count) {
  if (count == 0) return;
  if (position + count > size_) resize(position + count);
  while (count > 0) {
    const std::size_t within = position % kPageBytes;
    const std::size_t step = std::min<std::uint64_t>(count, kPageBytes - within);
    const std::size_t index = position / kPageBytes;
    if (step == kPageBytes) {
      pages_[index] = nullptr;
    } else if (pages_[index] != nullptr) {
      std::memset(writable_page(index).data() + within, 0, step);
    }
    position += step;
    count -= step;
  }
}

void SparseImage::read(std::uint64_t position, MutableBytes into) const {
  while (!into.empty()) {
    const std::size_t within = position % kPageBytes;
    const std::size_t step = std::min(into.size(), kPageBytes - within);
    const std::size_t index = position / kPageBytes;
    if (index < pages_.size() && pages_[index] != nullptr) {
      std::memcpy(into.data(), pages_[index]->data() + within, step);
    } else {
      std::memset(into.data(), 0, step);
    }
    position += step;
    into = into.subspan(step);
  }
}

std::vector<std::byte> SparseImage::bytes(std::uint64_t position, std::uint64_t count) const {
  std::vector<std::byte> copy(count);
  read(position, copy);
  return copy;
}

}  // namespace pyralog::io
