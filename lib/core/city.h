/* SPDX-License-Identifier: MIT
 *
 * core/city.h: CityHash64, version 1.0 (Pike, Alakuijala 2011), the hash that CatBoost
 * has of the texts of categories. Not for secrets.
 */
#ifndef MLI_CORE_CITY_H
#define MLI_CORE_CITY_H

#include <stddef.h>
#include <stdint.h>

uint64_t mli_city64(const char *text, size_t size);

#endif
